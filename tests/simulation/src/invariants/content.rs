//! What was acknowledged is there, through every gateway, once nothing is in the way any more.

use tokio::time::sleep;
use zot_contract::suite::content::repository;
use zot_oci::Tag;

use crate::{
    client::{ASK_AGAIN, Client, REPOSITORIES, print, short},
    gateway::Failure,
    history::Image,
};

/// How often something is asked for that cannot be had.
const ATTEMPTS_MAX: u32 = 60;

/// Something to be read back.
enum Kept<'a> {
    Image(&'a Image),
    Tag(&'a Image, &'a Tag),
    List(&'a str),
}

/// Reads everything back.
pub(crate) async fn verify(client: Client) {
    let images = client.history.images();
    for gateway in 0..client.gateways.len() {
        for image in &images {
            patiently(&client, gateway, Kept::Image(image)).await;
            for tag in &image.manifest.tags {
                patiently(&client, gateway, Kept::Tag(image, &tag.tag)).await;
            }
        }
        for name in REPOSITORIES {
            patiently(&client, gateway, Kept::List(name)).await;
        }
    }
}

async fn is_there(client: &Client, gateway: usize, image: &Image) -> Result<(), Failure> {
    let digest = image.manifest.digest;
    if client.manifest(gateway, &image.repository, digest.into()).await?.is_none() {
        client.history.violate(format_args!("manifest {} was pushed and is lost", short(&digest)));
        return Ok(());
    }
    client.read_layer(gateway, &image.repository, image.layer).await
}

async fn patiently(client: &Client, gateway: usize, kept: Kept<'_>) {
    for _ in 0..ATTEMPTS_MAX {
        let read = match &kept {
            Kept::Image(image) => is_there(client, gateway, image).await,
            Kept::Tag(image, tag) => client.read_tag(gateway, &image.repository, tag.as_str()).await,
            Kept::List(name) => client.list_through(gateway, &repository(name)).await,
        };
        match read {
            Ok(()) => return,
            Err(failure) => client.note(format_args!("still {}", print(&failure))),
        }
        sleep(ASK_AGAIN).await;
    }
    client.history.violate("what was pushed cannot be read although nothing is in the way");
}
