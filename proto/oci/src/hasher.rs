//! Hashing while bytes stream by.

use aws_lc_rs::digest::{Context, SHA256, SHA384, SHA512};
use sha2::{
    Digest as _, Sha256, Sha384, Sha512,
    digest::common::hazmat::{SerializableState, SerializedState},
};

use crate::{Algorithm, Digest};

/// Computes a [`Digest`] piece by piece.
///
/// One library is fast on every processor, but keeps its state to itself; the other one gives it away, and on x86-64 without the SHA extensions takes
/// more than twice as long. So who needs the state asks for it.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Fast(Algorithm, Context),
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
    /// A hasher that has seen nothing yet, the fastest there is.
    pub fn new(algorithm: Algorithm) -> Self {
        let context = Context::new(match algorithm {
            Algorithm::Sha256 => &SHA256,
            Algorithm::Sha384 => &SHA384,
            Algorithm::Sha512 => &SHA512,
        });
        Self(State::Fast(algorithm, context))
    }

    /// A hasher that has seen nothing yet, whose [`Hasher::state`] can be [taken up](Hasher::resume), by another process too.
    pub fn resumable(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha384 => State::Sha384(Sha384::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Takes up the state of a resumable hasher.
    pub fn resume(algorithm: Algorithm, state: &[u8]) -> Result<Self, InvalidHashState> {
        let invalid = || InvalidHashState { algorithm };
        Ok(Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(restore(state, 32).ok_or_else(invalid)?),
            Algorithm::Sha384 => State::Sha384(restore(state, 64).ok_or_else(invalid)?),
            Algorithm::Sha512 => State::Sha512(restore(state, 64).ok_or_else(invalid)?),
        }))
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            State::Fast(algorithm, _) => algorithm,
            State::Sha256(_) => Algorithm::Sha256,
            State::Sha384(_) => Algorithm::Sha384,
            State::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Hashes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Fast(_, context) => context.update(bytes),
            State::Sha256(hash) => hash.update(bytes),
            State::Sha384(hash) => hash.update(bytes),
            State::Sha512(hash) => hash.update(bytes),
        }
    }

    /// The state so far, to be stored. Of a hasher that is not resumable it says no more than whether another one has seen the same bytes.
    pub fn state(&self) -> Vec<u8> {
        match &self.0 {
            State::Fast(_, context) => context.clone().finish().as_ref().to_vec(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_state_goes_on_where_it_stopped() {
        for algorithm in Algorithm::ALL {
            let mut first = Hasher::resumable(algorithm);
            first.update(&[7; 1000]);
            let mut second = Hasher::resume(algorithm, &first.state()).unwrap();
            second.update(&[8; 77]);
            let whole: Vec<u8> = [vec![7; 1000], vec![8; 77]].concat();
            assert_eq!(second.finish(), Digest::of(algorithm, &whole));
        }
    }

    #[test]
    fn a_state_of_another_length_is_refused() {
        assert!(Hasher::resume(Algorithm::Sha256, &[1, 2, 3]).is_err());
    }
}
