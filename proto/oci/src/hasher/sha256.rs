//! SHA-256 of streams that can be hashed together, and stored half-way.

use std::{array, slice};

use super::kernel::{Block, Kernel, LANES, START, Words};

/// From how many streams on it is faster to work on all at once than on one after another.
const TOGETHER_MIN: usize = 3;

/// How many bytes [`Sha256::state`] has.
const STATE_BYTES: usize = 32 + 8 + 64;

/// A stream so far.
#[derive(Clone)]
pub(super) struct Sha256 {
    kernel: Kernel,
    words: Words,
    length: u64,
    /// The bytes since the last whole block.
    rest: Block,
}

impl Sha256 {
    /// A stream that has not begun.
    pub(super) fn new(kernel: Kernel) -> Self {
        Self { kernel, words: START, length: 0, rest: [0; 64] }
    }

    /// Takes up a state, if it is one.
    pub(super) fn resume(kernel: Kernel, state: &[u8]) -> Option<Self> {
        let (words, more) = state.split_first_chunk::<32>()?;
        let (count, more) = more.split_first_chunk()?;
        let (rest_length, more) = more.split_first()?;
        let (rest, unused) = more.split_at_checked((*rest_length).into())?;
        let count = u64::from_le_bytes(*count);
        // Content with as many blocks as the first condition is about does not exist: their bits could not be counted.
        if count >> 48 != 0 || state.len() != STATE_BYTES || unused.iter().any(|byte| *byte != 0) {
            return None;
        }
        let mut stream = Self { length: count * 64 + rest.len() as u64, ..Self::new(kernel) };
        for (word, bytes) in stream.words.iter_mut().zip(words.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        stream.rest[..rest.len()].copy_from_slice(rest);
        Some(stream)
    }

    /// The state so far: the words and the number of whole blocks, little-endian, then how many bytes follow, and these, padded with zeros. It is
    /// what the library writes that hashes on other processors.
    pub(super) fn state(&self) -> Vec<u8> {
        let mut state = Vec::with_capacity(STATE_BYTES);
        state.extend(self.words.iter().flat_map(|word| word.to_le_bytes()));
        state.extend((self.length / 64).to_le_bytes());
        let rest = &self.rest[..self.rest_length()];
        state.push(rest.len() as u8);
        state.extend(rest);
        state.resize(STATE_BYTES, 0);
        state
    }

    fn rest_length(&self) -> usize {
        (self.length % 64) as usize
    }

    /// Hashes the next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        let blocks = self.admit(bytes);
        self.kernel.one(&mut self.words, blocks);
    }

    /// Counts bytes in, and keeps those that are less than a block at their end. The blocks before are the caller's to hash.
    fn admit<'a>(&mut self, bytes: &'a [u8]) -> &'a [Block] {
        let (before, mut bytes) = (self.rest_length(), bytes);
        self.length += bytes.len() as u64;
        if before > 0 {
            let (filling, more) = bytes.split_at(bytes.len().min(64 - before));
            self.rest[before..before + filling.len()].copy_from_slice(filling);
            if before + filling.len() < 64 {
                return &[];
            }
            self.kernel.one(&mut self.words, &[self.rest]);
            bytes = more;
        }
        let (blocks, rest) = bytes.as_chunks();
        self.rest[..rest.len()].copy_from_slice(rest);
        blocks
    }

    /// The hash of all bytes.
    pub(super) fn finish(mut self) -> [u8; 32] {
        let (rest, bits) = (self.rest_length(), self.length * 8);
        let mut end = [[0; 64]; 2];
        end[0][..rest].copy_from_slice(&self.rest[..rest]);
        end[0][rest] = 0x80;
        let blocks = if rest < 56 { &mut end[..1] } else { &mut end[..] };
        if let Some(last) = blocks.last_mut() {
            last[56..].copy_from_slice(&bits.to_be_bytes());
        }
        self.kernel.one(&mut self.words, blocks);
        let mut hash = [0; 32];
        for (bytes, word) in hash.as_chunks_mut().0.iter_mut().zip(self.words) {
            *bytes = word.to_be_bytes();
        }
        hash
    }
}

/// What is to be hashed of a stream.
pub(super) struct Next<'a, P> {
    stream: &'a mut Sha256,
    pieces: slice::Iter<'a, P>,
    /// What is left of the last piece, in whole blocks.
    blocks: &'a [Block],
}

impl<'a, P: AsRef<[u8]>> Next<'a, P> {
    pub(super) fn new(stream: &'a mut Sha256, pieces: &'a [P]) -> Self {
        Self { stream, pieces: pieces.iter(), blocks: &[] }
    }

    /// Whether there is a block to be hashed.
    fn has_blocks(&mut self) -> bool {
        while self.blocks.is_empty() {
            let Some(piece) = self.pieces.next() else { return false };
            self.blocks = self.stream.admit(piece.as_ref());
        }
        true
    }
}

/// Hashes the next bytes of several streams, of eight at a time: as many blocks as all eight have, and then those of whoever has more with those of
/// others.
pub(super) fn update_all<P: AsRef<[u8]>>(mut all: Vec<Next<'_, P>>) {
    loop {
        all.retain_mut(Next::has_blocks);
        if all.len() < TOGETHER_MIN {
            break;
        }
        let count = all.len().min(LANES);
        let some = &mut all[..count];
        // What lanes without a stream come to is of no interest.
        let mut words = array::from_fn(|lane| some[lane % count].stream.words);
        let blocks = array::from_fn(|lane| some[lane % count].blocks);
        some[0].stream.kernel.many(&mut words, blocks);
        let done = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or_default();
        for (next, words) in some.iter_mut().zip(words) {
            next.stream.words = words;
            next.blocks = &next.blocks[done..];
        }
    }
    for mut next in all {
        while next.has_blocks() {
            next.stream.kernel.one(&mut next.stream.words, next.blocks);
            next.blocks = &[];
        }
    }
}
