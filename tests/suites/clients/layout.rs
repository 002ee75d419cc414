//! Images made without any client: OCI image layouts with real archives as layers, packed in every way that clients use.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use zot_tests::content::{self, descriptor, digest_of, media_type};

/// How a layer is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    fn media_type(self) -> String {
        let suffix = match self {
            Self::Plain => "",
            Self::Gzip => "+gzip",
            Self::Zstd => "+zstd",
        };
        format!("{}{suffix}", media_type::LAYER)
    }

    fn pack(self, archive: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Plain => archive,
            Self::Gzip => filter("gzip", "-nc", &archive),
            Self::Zstd => filter("zstd", "-qc", &archive),
        }
    }
}

/// An image layout that is being written.
pub(crate) struct Layout {
    directory: PathBuf,
    tags: BTreeMap<String, Value>,
}

impl Layout {
    /// An empty layout.
    pub(crate) fn create(directory: PathBuf) -> Self {
        fs::create_dir_all(directory.join("blobs/sha256")).expect("the layout's directory");
        fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("the layout's version");
        Self { directory, tags: BTreeMap::new() }
    }

    /// A layout with the tag `tag` for an image of one gzip layer.
    pub(crate) fn with_image(directory: PathBuf, tag: &str) -> Self {
        let mut layout = Self::create(directory);
        let image = layout.image(1, "amd64", Packing::Gzip);
        layout.tag(tag, &image);
        layout
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.directory
    }

    /// The digest of what `tag` names.
    pub(crate) fn digest(&self, tag: &str) -> &str {
        self.tags[tag]["digest"].as_str().expect("a digest")
    }

    /// Adds an image with the file `/content`, different for every `seed`, and gives its descriptor with the platform.
    pub(crate) fn image(&self, seed: u64, architecture: &str, packing: Packing) -> Value {
        let archive = archive("content", &file_content(seed));
        let config = json!({"architecture": architecture, "os": "linux", "config": {"Cmd": ["/content"]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(&archive)]}});
        let layer = self.blob(&packing.media_type(), &packing.pack(archive));
        let config = self.blob(media_type::CONFIG, config.to_string().as_bytes());
        let mut image = self.manifest(&config, &layer);
        image["platform"] = json!({"architecture": architecture, "os": "linux"});
        image
    }

    /// Adds the manifest of an image of one layer.
    pub(crate) fn manifest(&self, config: &Value, layer: &Value) -> Value {
        let manifest = json!({"schemaVersion": 2, "mediaType": media_type::MANIFEST, "config": config, "layers": [layer]});
        self.blob(media_type::MANIFEST, manifest.to_string().as_bytes())
    }

    /// Adds an index of images that were added before.
    pub(crate) fn index(&self, images: &[Value]) -> Value {
        let index = json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": images});
        self.blob(media_type::INDEX, index.to_string().as_bytes())
    }

    /// Adds a blob.
    pub(crate) fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let descriptor = descriptor(media_type, bytes);
        fs::write(self.blob_path(descriptor["digest"].as_str().expect("a digest")), bytes).expect("a blob");
        descriptor
    }

    /// Where the blob `digest` is or should be.
    pub(crate) fn blob_path(&self, digest: &str) -> PathBuf {
        self.directory.join("blobs").join(digest.replace(':', "/"))
    }

    /// Gives what was added before a name.
    pub(crate) fn tag(&mut self, tag: &str, descriptor: &Value) {
        self.tags.insert(tag.to_owned(), descriptor.clone());
        let tagged = self.tags.iter().map(|(tag, descriptor)| {
            let mut descriptor = descriptor.clone();
            descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
            descriptor
        });
        let index = json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": tagged.collect::<Vec<_>>()});
        fs::write(self.directory.join("index.json"), index.to_string()).expect("the layout's index");
    }

    /// Fails the test unless the layout at `other` has every blob of this one, byte for byte.
    #[track_caller]
    pub(crate) fn assert_copied_to(&self, other: &Path) {
        let (ours, theirs) = (blobs(&self.directory), blobs(other));
        assert!(!ours.is_empty(), "nothing to compare");
        for (name, bytes) in &ours {
            assert!(theirs.get(name) == Some(bytes), "blob {name} is not in {} as it was pushed", other.display());
        }
    }
}

/// What the file `/content` of the image `seed` holds.
pub(crate) fn file_content(seed: u64) -> Vec<u8> {
    content::bytes(seed, 10_000)
}

/// All blobs of a layout by digest in hexadecimal.
fn blobs(layout: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(layout.join("blobs/sha256")).expect("a layout");
    let blob = |path: PathBuf| (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(&path).expect("a blob"));
    entries.map(|entry| blob(entry.expect("an entry").path())).collect()
}

/// A tar archive (POSIX ustar) of one file.
pub(crate) fn archive(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    let mut field = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    field(0, name);
    field(100, "0000644\0");
    field(108, "0000000\0");
    field(116, "0000000\0");
    field(124, &format!("{:011o}\0", bytes.len()));
    field(136, "00000000000\0");
    // The sum is taken with blanks in its own place.
    field(148, "        ");
    field(156, "0");
    field(257, "ustar\u{0}00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = [header.as_slice(), bytes].concat();
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}

/// What a program makes of `bytes`.
fn filter(program: &str, option: &str, bytes: &[u8]) -> Vec<u8> {
    let mut command = Command::new(program);
    let mut child = command.arg(option).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    // Everything fits into its buffers: it can be written before anything is read.
    child.stdin.take().expect("its input").write_all(bytes).expect("it reads");
    let output = child.wait_with_output().expect("its output");
    assert!(output.status.success(), "{program} failed");
    output.stdout
}
