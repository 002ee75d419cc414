//! That nothing tells by which of its ways something was hashed.

use proptest::{collection::vec, prelude::*, sample::Index};

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

fn by_sha2() -> Hasher {
    Hasher(State::Sha256(Sha256::new()))
}

fn resumed_in_lanes(state: &[u8]) -> Option<Hasher> {
    sha256::Sha256::resume(Kernel::new(), state).map(|stream| Hasher(State::Lanes(stream)))
}

fn resumed_by_sha2(state: &[u8]) -> Option<Hasher> {
    restore(state, 32).map(|stream| Hasher(State::Sha256(stream)))
}

/// Blocks are hashed by eights, what is less than one is kept, and the last has to have room for the length.
#[test]
fn lengths_at_the_borders_of_blocks_and_of_eight_come_to_what_the_libraries_say() {
    let blocks = [0, 1, 2, 7, 8, 9, 15, 16, 17, 24, 25];
    let lengths: Vec<usize> = blocks.iter().flat_map(|blocks| [0, 1, 55, 56, 63].map(|more| blocks * 64 + more)).collect();
    for first in &lengths {
        for second in &lengths {
            let bytes: Vec<u8> = (0..first + second).map(|at| (at * 7 + at / 251) as u8).collect();
            let (first, second) = bytes.split_at(*first);
            let mut hashers = [Hasher::in_lanes(), by_sha2()];
            hashers.iter_mut().for_each(|hasher| hasher.update(first));
            let [in_lanes, sha2] = hashers.each_ref().map(Hasher::state);
            assert_eq!(in_lanes, sha2, "after {} bytes", first.len());
            let [in_lanes, sha2] = hashers;
            let resumed = [resumed_in_lanes(&sha2.state()).unwrap(), resumed_by_sha2(&in_lanes.state()).unwrap()];
            for mut hasher in [in_lanes, sha2].into_iter().chain(resumed) {
                hasher.update(second);
                assert_eq!(hasher.finish(), Digest::sha256(&bytes), "{} bytes and {}", first.len(), second.len());
            }
        }
    }
}

/// Pieces of up to two dozen blocks, many of them of none.
fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let length = prop_oneof![0..70_usize, 0..1500_usize];
    vec((length, any::<u8>()).prop_map(|(length, start)| (0..length).map(|at| (at * 7 + at / 251) as u8 ^ start).collect()), 0..6)
}

proptest! {
    #[test]
    fn streams_in_lanes_come_to_what_the_libraries_say(
        streams in vec((any::<bool>(), pieces(), pieces()), 0..20),
    ) {
        // Some are hashed by a library, and one after another.
        let mut hashers: Vec<Hasher> = streams.iter().map(|(in_lanes, ..)| if *in_lanes { Hasher::in_lanes() } else { by_sha2() }).collect();
        Hasher::update_all(hashers.iter_mut().zip(streams.iter().map(|(_, first, _)| first.as_slice())));
        Hasher::update_all(hashers.iter_mut().zip(streams.iter().map(|(_, _, second)| second.as_slice())));
        for (hasher, (_, first, second)) in hashers.into_iter().zip(&streams) {
            let bytes = [first.concat(), second.concat()].concat();
            let mut oracle = by_sha2();
            oracle.update(&bytes);
            prop_assert_eq!(hasher.state(), oracle.state());
            prop_assert_eq!(hasher.finish(), Digest::sha256(&bytes));
        }
    }

    #[test]
    fn a_stream_in_lanes_and_a_library_take_up_each_others_states(pieces in pieces(), more in pieces()) {
        let (mut in_lanes, mut by_sha2) = (Hasher::in_lanes(), by_sha2());
        for piece in &pieces {
            in_lanes.update(piece);
            by_sha2.update(piece);
        }
        let mut resumed = [resumed_by_sha2(&in_lanes.state()).unwrap(), resumed_in_lanes(&by_sha2.state()).unwrap()];
        for hasher in &mut resumed {
            more.iter().for_each(|piece| hasher.update(piece));
        }
        let whole = Digest::sha256(&[pieces.concat(), more.concat()].concat());
        prop_assert_eq!(resumed.map(Hasher::finish), [whole, whole]);
    }

    #[test]
    fn both_refuse_the_same_states(bytes in vec(any::<u8>(), 0..80), place in any::<Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut hasher = by_sha2();
        hasher.update(&bytes);
        let mut state = hasher.state();
        let place = place.index(state.len());
        state[place] = byte;
        state.truncate(if cut { place } else { state.len() });
        let (in_lanes, by_sha2) = (resumed_in_lanes(&state), resumed_by_sha2(&state));
        prop_assert_eq!(in_lanes.map(Hasher::finish), by_sha2.map(Hasher::finish));
    }
}
