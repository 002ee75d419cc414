//! Hashing does not depend on how content is cut, nor on being stored half-way.

use proptest::{collection::vec, prelude::*, sample::select};

use crate::{Algorithm, Digest, Hasher};

fn algorithm() -> impl Strategy<Value = Algorithm> {
    select(&Algorithm::ALL[..])
}

proptest! {
    #[test]
    fn cuts_do_not_matter(algorithm in algorithm(), pieces in vec(vec(any::<u8>(), 0..300), 0..12)) {
        let mut hasher = Hasher::new(algorithm);
        for piece in &pieces {
            hasher.update(piece);
        }
        prop_assert_eq!(hasher.finish(), Digest::of(algorithm, &pieces.concat()));
    }

    #[test]
    fn both_kinds_of_hashers_agree(algorithm in algorithm(), bytes in vec(any::<u8>(), 0..700), more in vec(any::<u8>(), 1..5)) {
        let (mut fast, mut resumable) = (Hasher::new(algorithm), Hasher::resumable(algorithm));
        fast.update(&bytes);
        resumable.update(&bytes);
        let states = [fast.state(), resumable.state()];
        fast.update(&more);
        resumable.update(&more);
        prop_assert!(fast.state() != states[0] && resumable.state() != states[1]);
        prop_assert_eq!(fast.finish(), resumable.finish());
    }

    #[test]
    fn being_stored_between_any_two_pieces_does_not_matter(
        algorithm in algorithm(),
        pieces in vec(vec(any::<u8>(), 0..300), 0..12),
    ) {
        let mut state = Hasher::resumable(algorithm).state();
        for piece in &pieces {
            let mut hasher = Hasher::resume(algorithm, &state).unwrap();
            hasher.update(piece);
            state = hasher.state();
        }
        let digest = Hasher::resume(algorithm, &state).unwrap().finish();
        prop_assert_eq!(digest, Digest::of(algorithm, &pieces.concat()));
    }

    #[test]
    fn no_stored_state_makes_it_panic(algorithm in algorithm(), mut bytes in vec(any::<u8>(), 0..300), fitting in any::<bool>()) {
        if fitting {
            bytes.resize(Hasher::resumable(algorithm).state().len(), 0);
        }
        if let Ok(mut hasher) = Hasher::resume(algorithm, &bytes) {
            hasher.update(&bytes);
            hasher.finish();
        }
    }

    #[test]
    fn a_digest_comes_back_from_its_value(algorithm in algorithm(), value in vec(any::<u8>(), 0..70)) {
        let digest = Digest::from_value(algorithm, &value);
        prop_assert_eq!(digest.is_some(), value.len() == algorithm.size());
        if let Some(digest) = digest {
            prop_assert_eq!(digest.value(), &value[..]);
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
        }
    }
}
