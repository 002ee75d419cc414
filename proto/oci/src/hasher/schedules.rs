//! What blocks add to the rounds of SHA-256, their schedules. They depend on nothing but the blocks: those of eight are made at once, in the lanes of
//! SIMD registers, whoever's they are.

use std::{array, ops::Index};

use fearless_simd::{Simd, prelude::*, u32x4, u32x8};

use super::kernel::{Block, LANES, Word};

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

/// The schedules of eight blocks, made round by round.
pub(super) struct Schedules<S: Simd> {
    words: [u32x8<S>; 64],
    /// The words with the constants of their rounds.
    sums: [u32x8<S>; 64],
}

impl<S: Simd> Schedules<S> {
    /// Of no blocks.
    #[inline(always)]
    pub(super) fn nothing(simd: S) -> Self {
        Self { words: [u32x8::splat(simd, 0); 64], sums: [u32x8::splat(simd, 0); 64] }
    }

    /// Begins with the first sixteen rounds, which are the blocks themselves.
    #[inline(always)]
    pub(super) fn begin(&mut self, simd: S, blocks: [&Block; LANES]) {
        for (quarter, words) in self.words.as_chunks_mut().0.iter_mut().take(4).enumerate() {
            let row = |lane: usize| -> u32x4<S> {
                let block = blocks[lane].as_chunks().0;
                array::from_fn::<_, 4, _>(|word| u32::from_be_bytes(block[quarter * 4 + word])).simd_into(simd)
            };
            let (low, high) = (turn(array::from_fn(row)), turn(array::from_fn(|lane| row(lane + 4))));
            *words = array::from_fn::<_, 4, _>(|word| low[word].combine(high[word]));
        }
        for ((sum, word), constant) in self.sums.iter_mut().zip(&self.words).zip(ROUNDS).take(16) {
            *sum = *word + constant;
        }
    }

    /// Makes all rounds.
    #[inline(always)]
    pub(super) fn make_all(&mut self, simd: S, blocks: [&Block; LANES]) {
        self.begin(simd, blocks);
        for round in 16..64 {
            self.make(round);
        }
    }

    /// Makes the next round, from those before.
    #[inline(always)]
    pub(super) fn make(&mut self, round: usize) {
        let Some(words) = self.words[round - 16..].first_chunk_mut::<17>() else { return };
        let (early, late) = (words[1], words[14]);
        let early = early.rotate(7) ^ early.rotate(18) ^ (early >> 3);
        let late = late.rotate(17) ^ late.rotate(19) ^ (late >> 10);
        words[16] = words[0] + early + words[9] + late;
        self.sums[round] = words[16] + ROUNDS[round];
    }
}

impl<S: Simd> Index<usize> for Schedules<S> {
    type Output = u32x8<S>;

    /// What a round takes.
    #[inline(always)]
    fn index(&self, round: usize) -> &u32x8<S> {
        &self.sums[round]
    }
}

/// Turns rows into columns.
#[inline(always)]
fn turn<S: Simd>([a, b, c, d]: [u32x4<S>; 4]) -> [u32x4<S>; 4] {
    let ((a, b), (c, d)) = (a.interleave(c), b.interleave(d));
    let ((a, b), (c, d)) = (a.interleave(c), b.interleave(d));
    [a, b, c, d]
}
