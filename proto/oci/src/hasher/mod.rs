//! Hashing while bytes stream by.

use aws_lc_rs::digest::{Context, SHA256, SHA384, SHA512};
use sha2::{
    Digest as _, Sha256, Sha384, Sha512,
    digest::common::hazmat::{SerializableState, SerializedState},
};

use self::kernel::Kernel;
use crate::{Algorithm, Digest};

mod kernel;
mod schedules;
mod sha256;
#[cfg(test)]
mod tests;

/// How many streams are hashed together at a time. It takes about as long for fewer.
pub const STREAMS_TOGETHER: usize = kernel::LANES;

/// Computes a [`Digest`] piece by piece.
///
/// One library is fast on every processor, but keeps its state to itself; the other one gives it away. Where both have to do without instructions for
/// SHA-256, many streams are hashed several times as fast [together](Hasher::update_all), by what is here.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Fast(Algorithm, Context),
    Lanes(sha256::Sha256),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

/// A stored hash state cannot be taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored {algorithm} state is not valid")]
pub struct InvalidHashState {
    algorithm: Algorithm,
}

impl Hasher {
    /// A hasher that has seen nothing yet, the fastest there is for one stream.
    pub fn new(algorithm: Algorithm) -> Self {
        let context = Context::new(match algorithm {
            Algorithm::Sha256 => &SHA256,
            Algorithm::Sha384 => &SHA384,
            Algorithm::Sha512 => &SHA512,
        });
        Self(State::Fast(algorithm, context))
    }

    /// A hasher that has seen nothing yet, the fastest there is if many streams come in at the same time.
    pub fn one_of_many(algorithm: Algorithm) -> Self {
        match Kernel::if_it_pays() {
            Some(kernel) if algorithm == Algorithm::Sha256 => Self(State::Lanes(sha256::Sha256::new(kernel))),
            _ => Self::new(algorithm),
        }
    }

    /// A resumable hasher of SHA-256 that [goes together](Hasher::goes_together) with others, also where it does not pay.
    pub fn in_lanes() -> Self {
        Self(State::Lanes(sha256::Sha256::new(Kernel::new())))
    }

    /// A hasher that has seen nothing yet, whose [`Hasher::state`] can be [taken up](Hasher::resume), by another process too.
    pub fn resumable(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => match Kernel::if_it_pays() {
                Some(kernel) => State::Lanes(sha256::Sha256::new(kernel)),
                None => State::Sha256(Sha256::new()),
            },
            Algorithm::Sha384 => State::Sha384(Sha384::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Takes up the state of a resumable hasher.
    pub fn resume(algorithm: Algorithm, state: &[u8]) -> Result<Self, InvalidHashState> {
        let invalid = || InvalidHashState { algorithm };
        Ok(Self(match algorithm {
            Algorithm::Sha256 => match Kernel::if_it_pays() {
                Some(kernel) => State::Lanes(sha256::Sha256::resume(kernel, state).ok_or_else(invalid)?),
                None => State::Sha256(restore(state, 32).ok_or_else(invalid)?),
            },
            Algorithm::Sha384 => State::Sha384(restore(state, 64).ok_or_else(invalid)?),
            Algorithm::Sha512 => State::Sha512(restore(state, 64).ok_or_else(invalid)?),
        }))
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            State::Fast(algorithm, _) => algorithm,
            State::Lanes(_) | State::Sha256(_) => Algorithm::Sha256,
            State::Sha384(_) => Algorithm::Sha384,
            State::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Hashes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Fast(_, context) => context.update(bytes),
            State::Lanes(hash) => hash.update(bytes),
            State::Sha256(hash) => hash.update(bytes),
            State::Sha384(hash) => hash.update(bytes),
            State::Sha512(hash) => hash.update(bytes),
        }
    }

    /// Whether it is faster to hash with others than alone.
    pub fn goes_together(&self) -> bool {
        matches!(self.0, State::Lanes(_))
    }

    /// Hashes the next bytes of several streams, those that go together at the same time.
    pub fn update_all<'a, P: AsRef<[u8]> + 'a>(streams: impl IntoIterator<Item = (&'a mut Self, &'a [P])>) {
        let mut together = Vec::new();
        for (hasher, pieces) in streams {
            match hasher {
                Self(State::Lanes(stream)) => together.push(sha256::Next::new(stream, pieces)),
                alone => pieces.iter().for_each(|piece| alone.update(piece.as_ref())),
            }
        }
        sha256::update_all(together);
    }

    /// The state so far, to be stored. Of a hasher that is not resumable it says no more than whether another one has seen the same bytes.
    pub fn state(&self) -> Vec<u8> {
        match &self.0 {
            State::Fast(_, context) => context.clone().finish().as_ref().to_vec(),
            State::Lanes(hash) => hash.state(),
            State::Sha256(hash) => hash.serialize().to_vec(),
            State::Sha384(hash) => hash.serialize().to_vec(),
            State::Sha512(hash) => hash.serialize().to_vec(),
        }
    }

    /// The digest of all bytes seen.
    pub fn finish(self) -> Digest {
        let algorithm = self.algorithm();
        let mut value = [0; 64];
        let size = algorithm.size();
        match self.0 {
            State::Fast(_, context) => value[..size].copy_from_slice(context.finish().as_ref()),
            State::Lanes(hash) => value[..size].copy_from_slice(&hash.finish()),
            State::Sha256(hash) => value[..size].copy_from_slice(&hash.finalize()),
            State::Sha384(hash) => value[..size].copy_from_slice(&hash.finalize()),
            State::Sha512(hash) => value[..size].copy_from_slice(&hash.finalize()),
        }
        Digest::padded(algorithm, value)
    }
}

/// Takes up a state that starts with `words` bytes of chaining value.
///
/// A little-endian count of blocks follows them, a quarter as long. Its two highest bytes are zero for all content there is; a damaged count
/// would overflow when it is turned into bits.
fn restore<H: SerializableState>(state: &[u8], words: usize) -> Option<H> {
    let count = state.get(words..words + words / 4)?;
    if !count.ends_with(&[0, 0]) {
        return None;
    }
    let state = SerializedState::<H>::try_from(state).ok()?;
    H::deserialize(&state).ok()
}
