//! The cache in front of stores that count, wait, lie and break.

mod fixture;

use std::{fs, sync::atomic::Ordering};

use futures::{StreamExt, future::join_all};

use super::*;
use crate::{
    Error,
    blobs::{MemoryBlobs, PIECE_BYTES, Pieces, in_memory, suite::blob_store_suite},
};
use fixture::{Fixture, MIB, Remote, collect, content, until};

#[tokio::test]
async fn a_cached_store_keeps_the_contract() {
    for remote in [MemoryBlobs::default(), MemoryBlobs::remote()] {
        let directory = tempfile::tempdir().unwrap();
        let cache = BlobCache::open(directory.path().to_owned(), 64 * MIB).unwrap();
        until(|| cache.state.lock().loaded).await;
        blob_store_suite(&CachedBlobs::new(Arc::new(remote), cache, "")).await;
    }
}

#[tokio::test]
async fn what_was_read_once_is_read_from_the_disk_whole_and_in_ranges() {
    let fixture = Fixture::new(Remote::free(), 64 * MIB).await;
    let size = 3 * PIECE_BYTES as u64 + 5;
    let at = fixture.put(1, size).await;
    fixture.warm(&at, size).await;
    assert_eq!(fixture.read(&at, size).await.unwrap(), content(1, size));
    let range = ByteRange::new(7, size - 9).unwrap();
    let part = collect(in_memory(fixture.blobs.read(&at, size, range).await.unwrap())).await.unwrap();
    assert_eq!(part, content(1, size).slice(7..size as usize - 8));
    assert_eq!(fixture.remote.reads(), 1);
}

#[tokio::test]
async fn readers_at_the_same_time_share_one_read_and_get_pieces_while_it_goes_on() {
    let fixture = Fixture::new(Remote::new(0), 64 * MIB).await;
    let size = 8 * PIECE_BYTES as u64;
    let at = fixture.put(1, size).await;
    let opening = join_all((0..20).map(|_| fixture.open(&at, size)));
    let mut readers: Vec<Pieces> = opening.await.into_iter().map(Result::unwrap).collect();
    // The second piece lets the first one through; the rest of the blob is not there yet.
    fixture.remote.pieces.add_permits(2);
    for reader in &mut readers {
        assert_eq!(reader.next().await.unwrap().unwrap(), content(1, size).slice(..PIECE_BYTES));
    }
    fixture.remote.pieces.add_permits(6);
    for rest in join_all(readers.into_iter().map(collect)).await {
        assert_eq!(rest.unwrap(), content(1, size).slice(PIECE_BYTES..));
    }
    assert_eq!(fixture.remote.reads(), 1);
}

#[tokio::test]
async fn a_fetch_goes_on_when_its_first_reader_goes_away() {
    let fixture = Fixture::new(Remote::new(0), 64 * MIB).await;
    let at = fixture.put(1, MIB).await;
    drop(fixture.open(&at, MIB).await.unwrap());
    fixture.remote.pieces.add_permits(4);
    assert_eq!(fixture.read(&at, MIB).await.unwrap(), content(1, MIB));
    assert_eq!(fixture.remote.reads(), 1);
}

#[tokio::test]
async fn bytes_that_are_not_what_the_digest_says_never_end_a_read_well() {
    let fixture = Fixture::new(Remote::free(), 64 * MIB).await;
    let key = BlobKey::shared(&Digest::sha256(b"something else"));
    fixture.blobs.put(&key, content(1, MIB)).await.unwrap();
    let at = key.into();
    for read in join_all((0..5).map(|_| fixture.read(&at, MIB))).await {
        assert!(matches!(read, Err(Error::Damaged { .. })), "{read:?}");
    }
    fixture.landed().await;
    assert_eq!((fixture.on_disk(), fixture.blobs.cache.state.lock().shelf.bytes()), (0, 0));
}

#[tokio::test]
async fn a_store_that_breaks_in_the_middle_breaks_every_reader_and_leaves_nothing() {
    let fixture = Fixture::new(Remote::free(), 64 * MIB).await;
    let at = fixture.put(1, MIB).await;
    fixture.remote.breaks_after_a_piece.store(true, Ordering::SeqCst);
    assert!(join_all((0..5).map(|_| fixture.read(&at, MIB))).await.iter().all(Result::is_err));
    fixture.landed().await;
    assert_eq!(fixture.on_disk(), 0);
    fixture.remote.breaks_after_a_piece.store(false, Ordering::SeqCst);
    assert_eq!(fixture.read(&at, MIB).await.unwrap(), content(1, MIB));
}

#[tokio::test]
async fn the_disk_holds_no_more_than_it_may_and_scans_push_nothing_hot_out() {
    let fixture = Fixture::new(Remote::free(), MIB).await;
    let size = MIB / 16;
    let hot = [fixture.put(1, size).await, fixture.put(2, size).await];
    for at in hot.iter().cycle().take(4) {
        fixture.warm(at, size).await;
    }
    for seed in 10..60 {
        let at = fixture.put(seed, size).await;
        assert_eq!(fixture.read(&at, size).await.unwrap(), content(seed, size));
        fixture.landed().await;
        assert!(fixture.on_disk() <= MIB, "{}", fixture.on_disk());
    }
    let before = fixture.remote.reads();
    for (seed, at) in [(1, &hot[0]), (2, &hot[1])] {
        assert_eq!(fixture.read(at, size).await.unwrap(), content(seed, size));
    }
    assert_eq!(fixture.remote.reads(), before);
}

#[tokio::test]
async fn readers_of_many_blobs_at_once_all_get_theirs_within_the_bound() {
    let fixture = Fixture::new(Remote::free(), MIB).await;
    let size = MIB / 8;
    let mut blobs = Vec::new();
    for seed in 0..24 {
        blobs.push((seed, fixture.put(seed, size).await));
    }
    for _ in 0..4 {
        let reads = blobs.iter().cycle().take(96).map(async |(seed, at)| fixture.read(at, size).await.unwrap() == content(*seed, size));
        assert!(join_all(reads).await.into_iter().all(|right| right));
        fixture.landed().await;
        assert!(fixture.on_disk() <= MIB, "{}", fixture.on_disk());
    }
}

#[tokio::test]
async fn a_start_takes_up_what_is_there_and_drops_what_was_not_finished() {
    let fixture = Fixture::new(Remote::free(), 64 * MIB).await;
    let at = fixture.put(1, MIB).await;
    fixture.warm(&at, MIB).await;
    let Fixture { blobs, remote, directory } = fixture;
    drop(blobs);
    fs::write(directory.path().join("cache/fetching/half"), b"half").unwrap();
    let again = Fixture::at(directory, remote, 64 * MIB).await;
    assert_eq!(again.read(&at, MIB).await.unwrap(), content(1, MIB));
    assert_eq!((again.remote.reads(), again.on_disk()), (1, MIB));
    // Less room at the next start: what does not fit goes.
    let Fixture { blobs, remote, directory } = again;
    drop(blobs);
    let less = Fixture::at(directory, remote, MIB).await;
    until(|| less.on_disk() == 0).await;
}

#[tokio::test]
async fn one_process_at_a_time_uses_a_directory() {
    let fixture = Fixture::new(Remote::free(), MIB).await;
    assert!(matches!(BlobCache::open(fixture.directory.path().join("cache"), MIB), Err(Error::InUse { .. })));
}

#[tokio::test]
async fn a_deleted_blob_is_gone_also_if_it_is_being_fetched() {
    let fixture = Fixture::new(Remote::new(4), 64 * MIB).await;
    let at = fixture.put(1, MIB).await;
    fixture.warm(&at, MIB).await;
    fixture.blobs.delete(&at).await.unwrap();
    assert!(fixture.read(&at, MIB).await.is_err());

    let at = fixture.put(2, MIB).await;
    let reader = fixture.open(&at, MIB).await.unwrap();
    fixture.blobs.delete(&at).await.unwrap();
    fixture.remote.pieces.add_permits(4);
    assert_eq!(collect(reader).await.unwrap(), content(2, MIB));
    fixture.landed().await;
    assert!(fixture.read(&at, MIB).await.is_err());
    assert_eq!(fixture.on_disk(), 0);
}

#[tokio::test]
async fn a_cache_whose_disk_fails_is_passed_by() {
    let fixture = Fixture::new(Remote::free(), 64 * MIB).await;
    let (held, other) = (fixture.put(1, MIB).await, fixture.put(2, MIB).await);
    fixture.warm(&held, MIB).await;
    fs::remove_dir_all(fixture.directory.path().join("cache")).unwrap();
    for (seed, at) in [(1, &held), (2, &other), (2, &other)] {
        assert_eq!(fixture.read(at, MIB).await.unwrap(), content(seed, MIB));
    }
    fixture.landed().await;
    assert!(fixture.blobs.cache.state.lock().rest.resting(Instant::now()));
}

#[tokio::test]
async fn a_file_that_lost_bytes_is_read_from_the_store_behind() {
    let fixture = Fixture::new(Remote::free(), 64 * MIB).await;
    let at = fixture.put(1, 3 * MIB).await;
    fixture.warm(&at, 3 * MIB).await;
    let file = fixture.blobs.cache.directory.path(&fixture.blobs.name(&at));
    let cut = |size| fs::File::options().write(true).open(&file).unwrap().set_len(size).unwrap();
    let mut reader = fixture.open(&at, 3 * MIB).await.unwrap();
    let first = reader.next().await.unwrap().unwrap();
    // Of what the system holds already nobody asks whether it is still there.
    cut(MIB * 3 / 2);
    let rest = collect(reader).await.unwrap();
    assert_eq!([first, rest].concat(), content(1, 3 * MIB));
    assert_eq!(fixture.read(&at, 3 * MIB).await.unwrap(), content(1, 3 * MIB));
}
