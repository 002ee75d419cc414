//! What hashing costs, of one stream and of several: `cargo bench -p zot-oci --bench hashers`.

use std::array;

use divan::{Bencher, black_box, counter::BytesCount};
use sha2::Digest as _;
use zot_oci::{Algorithm, Hasher};

/// As much of a stream as the engine gathers before it is hashed.
const BYTES: usize = 512 << 10;

fn main() {
    divan::main();
}

fn bytes(number: usize) -> Vec<u8> {
    (0..BYTES).map(|at| (at * 7 + at / 251 + number) as u8).collect()
}

fn one(bencher: Bencher<'_, '_>, hasher: impl Fn() -> Hasher) {
    let bytes = bytes(0);
    bencher.counter(BytesCount::new(BYTES)).bench_local(|| {
        let mut hasher = hasher();
        hasher.update(black_box(&bytes));
        hasher.finish()
    });
}

#[divan::bench]
fn one_stream_by_aws_lc(bencher: Bencher<'_, '_>) {
    one(bencher, || Hasher::new(Algorithm::Sha256));
}

#[divan::bench]
fn one_stream_by_sha2(bencher: Bencher<'_, '_>) {
    let bytes = bytes(0);
    bencher.counter(BytesCount::new(BYTES)).bench_local(|| sha2::Sha256::digest(black_box(&bytes)));
}

#[divan::bench]
fn one_stream_in_lanes(bencher: Bencher<'_, '_>) {
    one(bencher, Hasher::in_lanes);
}

#[divan::bench(consts = [2, 3, 4, 6, 8, 16])]
fn streams_in_lanes<const COUNT: usize>(bencher: Bencher<'_, '_>) {
    let pieces: [[Vec<u8>; 1]; COUNT] = array::from_fn(|number| [bytes(number)]);
    bencher.counter(BytesCount::new(COUNT * BYTES)).bench_local(|| {
        let mut hashers: [Hasher; COUNT] = array::from_fn(|_| Hasher::in_lanes());
        Hasher::update_all(hashers.iter_mut().zip(black_box(&pieces).iter().map(<[_; 1]>::as_slice)));
        hashers.map(Hasher::finish)
    });
}
