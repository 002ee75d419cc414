//! Many writers at once, over HTTP: nobody's acknowledged change is lost, and nobody is answered with a fault.

use std::time::Instant;

use bytes::Bytes;
use futures::{SinkExt as _, channel::mpsc, future::join_all};
use zot_tests::{Client, Image, Registry, Reply, content, digest_of, in_both_shapes};

const WRITERS: usize = 64;

/// Runs `act` for every writer at the same time, each with a connection of its own.
async fn all<F: Future>(registry: &Registry, act: impl Fn(usize, Client) -> F) -> Vec<F::Output> {
    join_all((0..WRITERS).map(|writer| act(writer, registry.client()))).await
}

fn count(replies: &[Reply], status: u16) -> usize {
    replies.iter().filter(|reply| reply.status == status).count()
}

in_both_shapes!(writers_of_different_tags_all_find_their_tag, |registry| async move {
    all(&registry, async |writer, client| {
        client.push_image("a", &format!("t{writer:02}"), &Image::small(writer as u64)).await;
    })
    .await;
    let client = registry.client();
    let tags: Vec<String> = (0..WRITERS).map(|writer| format!("t{writer:02}")).collect();
    assert_eq!(client.tags("a").await, tags);
    for (writer, tag) in tags.iter().enumerate() {
        let digest = client.get_manifest("a", tag).await.expect(200).header("docker-content-digest").to_owned();
        assert_eq!(digest, Image::small(writer as u64).digest());
    }
});

in_both_shapes!(writers_of_one_tag_leave_the_manifest_of_one_of_them, |registry| async move {
    let digests = all(&registry, async |writer, client| client.push_image("a", "latest", &Image::small(writer as u64)).await).await;
    let client = registry.client();
    let last = client.get_manifest("a", "latest").await.expect(200).header("docker-content-digest").to_owned();
    assert!(digests.contains(&last));
    assert_eq!(client.tags("a").await, ["latest"]);
    for digest in &digests {
        client.get_manifest("a", digest).await.expect(200);
    }
});

in_both_shapes!(writers_of_one_digest_all_succeed_and_it_is_kept_once, |registry| async move {
    let bytes = content::bytes(1, 300_000);
    all(&registry, async |writer, client| client.push_blob(&format!("r{}", writer % 4), &bytes).await).await;
    let client = registry.client();
    for repository in ["r0", "r1", "r2", "r3"] {
        assert!(client.get_blob(repository, &digest_of(&bytes)).await.expect(200).body == bytes);
    }
});

in_both_shapes!(of_the_writers_of_one_upload_one_wins_and_the_others_are_told, |registry| async move {
    let client = registry.client();
    let upload = client.start_upload("a").await;
    let chunk = |writer: usize| content::bytes(writer as u64, 100_000);
    let replies = all(&registry, async |writer, client| client.append(&upload, 0, &chunk(writer)).await).await;
    assert_eq!(count(&replies, 202), 1, "{:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
    assert_eq!(count(&replies, 409) + count(&replies, 416), WRITERS - 1);
    let winner = replies.iter().position(|reply| reply.status == 202).unwrap();
    assert_eq!(client.get(&upload).await.expect(204).header("range"), "0-99999");
    // The upload is the winner's alone, whatever the others had sent by then.
    let digest = digest_of(&chunk(winner));
    let finished = all(&registry, async |_, client| client.finish_upload(&upload, &digest, b"").await).await;
    assert_eq!(count(&finished, 201), 1);
    assert_eq!(count(&finished, 409) + count(&finished, 404), WRITERS - 1);
    assert!(client.get_blob("a", &digest).await.expect(200).body == chunk(winner));
});

in_both_shapes!(readers_see_each_tag_whole_while_it_moves, |registry| async move {
    let images: Vec<Image> = (0..4).map(Image::small).collect();
    let client = registry.client();
    for image in &images {
        client.push_image("a", "latest", image).await;
    }
    all(&registry, async |writer, client| {
        for turn in 0..5 {
            let image = &images[(writer + turn) % images.len()];
            client.put_manifest("a", "latest", &image.manifest).await.expect(201);
            let reply = client.get_manifest("a", "latest").await.expect(200);
            assert_eq!(reply.header("docker-content-digest"), digest_of(&reply.body));
        }
    })
    .await;
});

/// A write of a tag, or a read of what it pointed to.
struct Seen {
    digest: String,
    began: Instant,
    ended: Instant,
}

/// What `act` did to a tag, and when.
async fn seen(act: impl Future<Output = String>) -> Seen {
    let began = Instant::now();
    let digest = act.await;
    Seen { digest, began, ended: Instant::now() }
}

in_both_shapes!(no_reader_of_a_tag_sees_what_was_overwritten_before_it_asked, |registry| async move {
    let image = |number: usize| Image::artifact("application/vnd.example", number as u64, None);
    registry.client().push_blob("a", &image(0).config).await;
    let turns = all(&registry, async |writer, client| {
        let mut turns = Vec::new();
        for turn in 0..3 {
            let manifest = image(3 * writer + turn).manifest;
            let write = seen(async {
                client.put_manifest("a", "latest", &manifest).await.expect(201);
                manifest.digest()
            });
            let read = async { client.get_manifest("a", "latest").await.expect(200).header("docker-content-digest").to_owned() };
            turns.push((write.await, seen(read).await));
        }
        turns
    })
    .await;
    let (writes, reads): (Vec<Seen>, Vec<Seen>) = turns.into_iter().flatten().unzip();
    for read in &reads {
        let of = writes.iter().find(|write| write.digest == read.digest).expect("nobody else writes");
        assert!(of.began < read.ended, "a manifest is seen that nobody had pushed yet");
        // Every digest is written once: whatever began after it was written and ended before it was read has replaced it for good.
        let overwritten = writes.iter().any(|write| write.began > of.ended && write.ended < read.began);
        assert!(!overwritten, "{} is seen, which was overwritten before", read.digest);
    }
});

in_both_shapes!(pushing_and_deleting_a_tag_at_once_ends_with_it_or_without, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    let digest = client.push_image("a", "latest", &image).await;
    let statuses = all(&registry, async |writer, client| match writer % 2 {
        0 => client.put_manifest("a", "latest", &image.manifest).await.status.as_u16(),
        _ => client.delete("/v2/a/manifests/latest").await.status.as_u16(),
    })
    .await;
    assert!(statuses.iter().all(|status| [201, 202, 404].contains(status)), "{statuses:?}");
    let listed = client.tags("a").await.contains(&"latest".to_owned());
    assert_eq!(client.get_manifest("a", "latest").await.status == 200, listed);
    client.get_manifest("a", &digest).await.expect(200);
});

in_both_shapes!(cancelling_an_upload_that_is_being_written_faults_nobody, |registry| async move {
    let client = registry.client();
    let upload = client.start_upload("a").await;
    let (mut body, pieces) = mpsc::channel(0);
    let writing = tokio::spawn({
        let (client, upload) = (client.clone(), upload.clone());
        async move { client.patch(&upload).stream(pieces).try_send().await }
    });
    body.send(Ok(Bytes::from(content::bytes(1, 50_000)))).await.unwrap();
    let cancelled = client.delete(&upload).await.status.as_u16();
    assert!([204, 409].contains(&cancelled), "{cancelled}");
    // Whether the writer still finds somebody to send to depends on who won.
    body.send(Ok(Bytes::from(content::bytes(2, 50_000)))).await.ok();
    drop(body);
    if let Ok(reply) = writing.await.unwrap() {
        let expected: &[u16] = if cancelled == 204 { &[404, 409] } else { &[202] };
        assert!(expected.contains(&reply.status.as_u16()), "{cancelled}, then {}", reply.status);
    }
    assert_eq!(client.get(&upload).await.status == 404, cancelled == 204);
});

in_both_shapes!(deleting_a_blob_while_manifests_take_it_up_leaves_no_manifest_without_it, |registry| async move {
    let client = registry.client();
    for round in 0..10 {
        let image = Image::with_layers(round, vec![content::bytes(round, 2000)]);
        let layer = digest_of(&image.layers[0]);
        for blob in image.blobs() {
            client.push_blob("a", blob).await;
        }
        let path = format!("/v2/a/blobs/{layer}");
        let (pushed, deleted) =
            tokio::join!(async { client.put_manifest("a", "latest", &image.manifest).await }, async { client.delete(&path).await });
        let outcome = (pushed.status.as_u16(), deleted.status.as_u16());
        assert!([(201, 405), (400, 202)].contains(&outcome), "{outcome:?}");
        assert_eq!(client.get_blob("a", &layer).await.status == 200, outcome.0 == 201);
    }
});

in_both_shapes!(mounting_while_the_source_is_deleted_mounts_whole_or_not_at_all, |registry| async move {
    let client = registry.client();
    for round in 0..10 {
        let bytes = content::bytes(round, 20_000);
        let digest = client.push_blob("from", &bytes).await;
        let (delete, mount) = (format!("/v2/from/blobs/{digest}"), format!("/v2/to/blobs/uploads/?mount={digest}&from=from"));
        let (deleted, mounted) = tokio::join!(async { client.delete(&delete).await }, async { client.post(&mount).await });
        assert_eq!(deleted.status, 202);
        assert!([201, 202].contains(&mounted.status.as_u16()), "{}", mounted.status);
        let pulled = client.get_blob("to", &digest).await;
        assert_eq!(pulled.status == 200, mounted.status == 201);
        assert!(pulled.status != 200 || pulled.body == bytes);
    }
});
