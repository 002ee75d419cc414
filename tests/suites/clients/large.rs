//! Layers as large as they come.

use std::{env, fs::File, io::Read as _, path::Path};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zot_tests::{Sandbox, content::media_type, skip::skip};

use crate::{layout::Layout, program::Program};

/// How much more memory than before a push may take at its peak, whatever is pushed.
const MEMORY_BYTES_MAX: u64 = 64 << 20;

#[tokio::test]
async fn a_large_layer_is_pushed_and_pulled_without_being_held_in_memory() {
    push_and_pull(512 << 20).await;
}

#[tokio::test]
async fn a_layer_of_5_gib_is_pushed_and_pulled_without_being_held_in_memory() {
    if env::var("ZOT_TEST_FULL").as_deref() != Ok("1") {
        return skip(
            "large::a_layer_of_5_gib_is_pushed_and_pulled_without_being_held_in_memory",
            "it takes 10 GiB of disk: ZOT_TEST_FULL=1 runs it",
        );
    }
    push_and_pull(5 << 30).await;
}

async fn push_and_pull(layer_bytes: u64) {
    let Some(crane) = Program::find("crane") else { return };
    let registry = Sandbox::start().await;
    let mut layout = Layout::create(crane.home().join("source"));
    let layer = zeros(&layout, layer_bytes);
    let digest = layer["digest"].as_str().expect("a digest").to_owned();
    let config = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest]}});
    let config = layout.blob(media_type::CONFIG, config.to_string().as_bytes());
    let image = layout.manifest(&config, &layer);
    layout.tag("v1", &image);
    let (remote, before) = (format!("{}/large:v1", registry.address()), registry.memory_peak_bytes());
    crane.run(&format!("push {} {remote}", layout.path().display())).await;
    crane.run(&format!("pull --format oci {remote} {}", crane.home().join("back").display())).await;
    let back = crane.home().join("back/blobs").join(digest.replace(':', "/"));
    assert_eq!(digest_of_file(&back), digest);
    let grown = registry.memory_peak_bytes() - before;
    assert!(grown <= MEMORY_BYTES_MAX, "the registry took {} MiB more", grown >> 20);
}

/// Adds a blob of so many zeros that takes no room on the disk.
fn zeros(layout: &Layout, length: u64) -> Value {
    let unnamed = layout.path().join("zeros");
    File::create(&unnamed).and_then(|file| file.set_len(length)).expect("a file with a hole");
    let digest = digest_of_file(&unnamed);
    std::fs::rename(unnamed, layout.blob_path(&digest)).expect("the blob's name");
    json!({"mediaType": media_type::LAYER, "digest": digest, "size": length})
}

fn digest_of_file(path: &Path) -> String {
    let (mut file, mut hasher, mut buffer) = (File::open(path).expect("a file"), Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).expect("its bytes") {
            0 => return format!("sha256:{}", hex::encode(hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}
