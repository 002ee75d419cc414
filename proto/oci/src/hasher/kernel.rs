//! The inner loop of SHA-256 (FIPS 180-4) over eight blocks at a time, which are in the lanes of SIMD registers.
//!
//! The [schedules](Schedules) of eight blocks are made at once, whoever's they are. The rounds of eight streams are done at once too. Those of one
//! stream come one after another, in ordinary registers.

use std::{
    array, mem,
    num::Wrapping,
    ops::{Add, BitAnd, BitXor, Not},
};

use fearless_simd::{Level, Simd, dispatch, prelude::*, u32x8};

use super::schedules::Schedules;

/// How many blocks are worked on at a time.
pub(super) const LANES: usize = 8;

/// What is hashed at once.
pub(super) type Block = [u8; 64];

/// What is known of a stream between two blocks.
pub(super) type Words = [u32; 8];

/// The words of a stream that has not begun.
pub(super) const START: Words = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

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

/// The rounds wait for each other too often to keep a processor busy: the schedules of the next eight blocks are made in between.
#[inline(always)]
fn one<S: Simd>(simd: S, words: &mut Words, blocks: &[Block]) {
    if blocks.is_empty() {
        return;
    }
    let eight_from = |number| array::from_fn(|lane| blocks.get(number + lane).unwrap_or(&[0; 64]));
    let (mut now, mut next) = (&mut Schedules::nothing(simd), &mut Schedules::nothing(simd));
    now.make_all(simd, eight_from(0));
    let mut state = words.map(Wrapping);
    for number in 0..blocks.len() {
        let lane = number % LANES;
        if lane == 0 {
            if number > 0 {
                mem::swap(&mut now, &mut next);
            }
            next.begin(simd, eight_from(number + LANES));
        }
        let (before, schedule) = (state, |round| Wrapping(now[round][lane]));
        // Eight blocks have 48 rounds to be made: six beside each, written out because a loop takes longer.
        let making = 16 + lane * 6;
        eight_rounds(&mut state, 0, schedule);
        next.make(making);
        eight_rounds(&mut state, 8, schedule);
        next.make(making + 1);
        eight_rounds(&mut state, 16, schedule);
        next.make(making + 2);
        eight_rounds(&mut state, 24, schedule);
        eight_rounds(&mut state, 32, schedule);
        next.make(making + 3);
        eight_rounds(&mut state, 40, schedule);
        next.make(making + 4);
        eight_rounds(&mut state, 48, schedule);
        next.make(making + 5);
        eight_rounds(&mut state, 56, schedule);
        add(&mut state, before);
    }
    *words = state.map(|word| word.0);
}

#[inline(always)]
fn many<S: Simd>(simd: S, words: &mut [Words; LANES], blocks: [&[Block]; LANES]) {
    let mut state: [u32x8<S>; 8] = array::from_fn(|word| words.map(|words| words[word]).simd_into(simd));
    let shortest = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or_default();
    let mut schedules = Schedules::nothing(simd);
    for number in 0..shortest {
        schedules.make_all(simd, blocks.map(|blocks| &blocks[number]));
        rounds(&mut state, |round| schedules[round]);
    }
    *words = array::from_fn(|lane| state.map(|word| word[lane]));
}

/// The 64 rounds of a block.
#[inline(always)]
fn rounds<W: Word>(state: &mut [W; 8], schedule: impl Fn(usize) -> W) {
    let before = *state;
    for at in (0..64).step_by(8) {
        eight_rounds(state, at, &schedule);
    }
    add(state, before);
}

/// Instead of moving eight words on by one place in each round, each of eight calls finds them one place further.
#[inline(always)]
fn eight_rounds<W: Word>([a, b, c, d, e, f, g, h]: &mut [W; 8], at: usize, schedule: impl Fn(usize) -> W) {
    round([*a, *b, *c], d, [*e, *f, *g], h, schedule(at));
    round([*h, *a, *b], c, [*d, *e, *f], g, schedule(at + 1));
    round([*g, *h, *a], b, [*c, *d, *e], f, schedule(at + 2));
    round([*f, *g, *h], a, [*b, *c, *d], e, schedule(at + 3));
    round([*e, *f, *g], h, [*a, *b, *c], d, schedule(at + 4));
    round([*d, *e, *f], g, [*h, *a, *b], c, schedule(at + 5));
    round([*c, *d, *e], f, [*g, *h, *a], b, schedule(at + 6));
    round([*b, *c, *d], e, [*f, *g, *h], a, schedule(at + 7));
}

/// Ends a block.
#[inline(always)]
fn add<W: Word>(state: &mut [W; 8], before: [W; 8]) {
    for (word, before) in state.iter_mut().zip(before) {
        *word = *word + before;
    }
}

#[inline(always)]
fn round<W: Word>([a, b, c]: [W; 3], d: &mut W, [e, f, g]: [W; 3], h: &mut W, schedule: W) {
    let majority = ((a ^ b) & (b ^ c)) ^ b;
    let change = *h + schedule + (e & f) + (!e & g) + (e.rotate(6) ^ e.rotate(11) ^ e.rotate(25));
    *d = *d + change;
    *h = change + majority + (a.rotate(2) ^ a.rotate(13) ^ a.rotate(22));
}

/// A word of one stream, or those of eight.
pub(super) trait Word: Copy + Add<Output = Self> + BitAnd<Output = Self> + BitXor<Output = Self> + Not<Output = Self> {
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
