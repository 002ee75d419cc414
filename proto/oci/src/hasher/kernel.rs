//! The inner loop of SHA-256 (FIPS 180-4) over eight blocks at a time, which are in the lanes of SIMD registers.
//!
//! What a block adds to the rounds, its schedule, depends on nothing but the block: those of eight are made at once, whoever's they are. The rounds
//! of eight streams are done at once too. Those of one stream come one after another, in ordinary registers.

use std::{
    array,
    num::Wrapping,
    ops::{Add, BitAnd, BitXor, Not},
};

use fearless_simd::{Level, Simd, dispatch, prelude::*, u32x8};

/// How many blocks are worked on at a time.
pub(super) const LANES: usize = 8;

/// What is hashed at once.
pub(super) type Block = [u8; 64];

/// What is known of a stream between two blocks.
pub(super) type Words = [u32; 8];

/// The words of a stream that has not begun.
pub(super) const START: Words = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

#[rustfmt::skip]
const ROUNDS: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// The SIMD instructions to use.
#[derive(Clone, Copy)]
pub(super) struct Kernel(Level);

impl Kernel {
    /// Those of this processor, whatever it has.
    pub(super) fn new() -> Self {
        Self(Level::new())
    }

    /// Those of this processor if it hashes faster by them than by what is made for it: with AVX2, and without the SHA extensions.
    pub(super) fn if_it_pays() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if !std::arch::is_x86_feature_detected!("sha") && Level::new().as_avx2().is_some() {
            return Some(Self::new());
        }
        None
    }

    /// Hashes the next blocks of one stream.
    pub(super) fn one(self, words: &mut Words, blocks: &[Block]) {
        dispatch!(self.0, simd => one(simd, words, blocks));
    }

    /// Hashes the next blocks of eight streams, as many of each as the shortest has.
    pub(super) fn many(self, words: &mut [Words; LANES], blocks: [&[Block]; LANES]) {
        dispatch!(self.0, simd => many(simd, words, blocks));
    }
}

#[inline(always)]
fn one<S: Simd>(simd: S, words: &mut Words, blocks: &[Block]) {
    let mut state = words.map(Wrapping);
    for some in blocks.chunks(LANES) {
        let lanes = schedules(simd, array::from_fn(|lane| some.get(lane).unwrap_or(&[0; 64])));
        let lanes: [[u32; LANES]; 64] = lanes.map(Into::into);
        for (lane, _) in some.iter().enumerate() {
            rounds(&mut state, |round| Wrapping(lanes[round][lane]));
        }
    }
    *words = state.map(|word| word.0);
}

#[inline(always)]
fn many<S: Simd>(simd: S, words: &mut [Words; LANES], blocks: [&[Block]; LANES]) {
    let mut state: [u32x8<S>; 8] = array::from_fn(|word| words.map(|words| words[word]).simd_into(simd));
    let shortest = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or_default();
    for number in 0..shortest {
        let lanes = schedules(simd, blocks.map(|blocks| &blocks[number]));
        rounds(&mut state, |round| lanes[round]);
    }
    *words = array::from_fn(|lane| state.map(|word| word[lane]));
}

/// What each block adds to each of its rounds.
#[inline(always)]
fn schedules<S: Simd>(simd: S, blocks: [&Block; LANES]) -> [u32x8<S>; 64] {
    let mut rows = [[0; LANES]; 16];
    for (lane, block) in blocks.into_iter().enumerate() {
        for (row, bytes) in rows.iter_mut().zip(block.as_chunks().0) {
            row[lane] = u32::from_be_bytes(*bytes);
        }
    }
    let mut last: [u32x8<S>; 16] = rows.map(|row| row.simd_into(simd));
    let mut schedule = [u32x8::splat(simd, 0); 64];
    for (round, (word, constant)) in schedule.iter_mut().zip(ROUNDS).enumerate() {
        let at = round % 16;
        if round >= 16 {
            let (early, late) = (last[(at + 1) % 16], last[(at + 14) % 16]);
            let early = early.rotate(7) ^ early.rotate(18) ^ (early >> 3);
            let late = late.rotate(17) ^ late.rotate(19) ^ (late >> 10);
            last[at] = last[at] + early + last[(at + 9) % 16] + late;
        }
        *word = last[at] + constant;
    }
    schedule
}

/// The 64 rounds of a block. Instead of moving eight words on by one place in each round, each of eight calls finds them one place further.
#[inline(always)]
fn rounds<W: Word>(state: &mut [W; 8], schedule: impl Fn(usize) -> W) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for at in (0..64).step_by(8) {
        round([a, b, c], &mut d, [e, f, g], &mut h, schedule(at));
        round([h, a, b], &mut c, [d, e, f], &mut g, schedule(at + 1));
        round([g, h, a], &mut b, [c, d, e], &mut f, schedule(at + 2));
        round([f, g, h], &mut a, [b, c, d], &mut e, schedule(at + 3));
        round([e, f, g], &mut h, [a, b, c], &mut d, schedule(at + 4));
        round([d, e, f], &mut g, [h, a, b], &mut c, schedule(at + 5));
        round([c, d, e], &mut f, [g, h, a], &mut b, schedule(at + 6));
        round([b, c, d], &mut e, [f, g, h], &mut a, schedule(at + 7));
    }
    for (word, change) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = *word + change;
    }
}

#[inline(always)]
fn round<W: Word>([a, b, c]: [W; 3], d: &mut W, [e, f, g]: [W; 3], h: &mut W, schedule: W) {
    let choice = (e & f) ^ (!e & g);
    let majority = ((a ^ b) & (b ^ c)) ^ b;
    let change = *h + schedule + choice + (e.rotate(6) ^ e.rotate(11) ^ e.rotate(25));
    *d = *d + change;
    *h = change + (a.rotate(2) ^ a.rotate(13) ^ a.rotate(22)) + majority;
}

/// A word of one stream, or those of eight.
trait Word: Copy + Add<Output = Self> + BitAnd<Output = Self> + BitXor<Output = Self> + Not<Output = Self> {
    /// Rotates it to the right.
    fn rotate(self, by: u32) -> Self;
}

impl Word for Wrapping<u32> {
    #[inline(always)]
    fn rotate(self, by: u32) -> Self {
        Self(self.0.rotate_right(by))
    }
}

impl<S: Simd> Word for u32x8<S> {
    #[inline(always)]
    fn rotate(self, by: u32) -> Self {
        (self >> by) | (self << (32 - by))
    }
}
