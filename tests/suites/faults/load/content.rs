//! What the writers push: blobs of sizes on both sides of every threshold, and images that share layers.

use serde_json::{Value as Json, json};
use zot_tests::{
    Image, Manifest,
    content::{bytes, descriptor, media_type},
};

use crate::random::Random;

/// The layers that many images have.
const SHARED_LAYERS: u64 = 6;

/// Bytes of a size that is small, around the size up to which blobs are kept in rows, or large.
pub(super) fn blob(random: &mut Random) -> Vec<u8> {
    let length = match random.within(0..20) {
        0..8 => random.within(2..4_000),
        8..14 => random.within(14_000..20_000),
        14..19 => random.within(20_000..200_000),
        _ => random.within(500_000..1_500_000),
    };
    bytes(random.next(), length as usize)
}

/// An image of one to three layers, some of which others have too.
pub(super) fn image(random: &mut Random) -> Image {
    let layers = (0..random.within(1..4)).map(|_| if random.once_in(2) { shared_layer(random) } else { blob(random) });
    let layers = layers.collect();
    Image::with_layers(random.next(), layers)
}

fn shared_layer(random: &mut Random) -> Vec<u8> {
    let number = random.within(0..SHARED_LAYERS);
    bytes(number + 1, 1 + 9_000 * number as usize)
}

/// An index of one child that no other index equals: writers delete what they pushed, and must not meet in one digest.
pub(super) fn index(child: Json, random: &mut Random) -> Manifest {
    Manifest::new(&json!({
        "schemaVersion": 2,
        "mediaType": media_type::INDEX,
        "manifests": [child],
        "annotations": {"org.example.seed": random.next().to_string()},
    }))
}

/// An image manifest that is larger than what is kept in a row.
pub(super) fn padded(image: &Image, random: &mut Random) -> Image {
    let padding = hex::encode(bytes(random.next(), 12_000));
    let layers: Vec<_> = image.layers.iter().map(|layer| descriptor(media_type::LAYER, layer)).collect();
    let manifest = Manifest::new(&json!({
        "schemaVersion": 2,
        "mediaType": media_type::MANIFEST,
        "config": descriptor(media_type::CONFIG, &image.config),
        "layers": layers,
        "annotations": {"org.example.padding": padding},
    }));
    Image { manifest, ..image.clone() }
}
