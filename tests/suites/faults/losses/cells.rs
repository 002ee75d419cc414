//! What users do, each a column of the table, and what came of it.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures::{FutureExt as _, future::join_all};
use tokio::time::{sleep, timeout};
use zot_tests::{
    Client, Image, Reply,
    browser::{Browser, LOGIN},
    client::Call,
    content::bytes,
    digest_of,
};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(45);
/// Repositories that every cell is tried with: enough for every node to own one.
pub(super) const REPOSITORIES: u64 = 6;
/// More than is kept in rows.
const LAYER_BYTES: usize = 200_000;

/// Something that users do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    PullCached,
    PullNew,
    Push,
    Tags,
    Login,
}

pub(super) const COLUMNS: [Column; 5] = [Column::PullCached, Column::PullNew, Column::Push, Column::Tags, Column::Login];

/// What users are to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Everybody is served at the first attempt.
    Served,
    /// Everybody is served, if not at the first attempt then at a second one, made when the first one's answer said.
    ServedInTheEnd,
    /// Nobody is: everybody is told when to try again.
    Refused,
    /// Nobody is believed.
    Denied,
}

/// What one user saw.
#[derive(Debug, Clone, Copy)]
enum Seen {
    Served(Duration),
    /// At the second attempt: after how long since the first one, and what that one was told.
    ServedAgain(Duration, u64),
    /// After how long, and when to try again, in seconds.
    Refused(Duration, u64),
    Denied,
    /// Something that nobody is ever to see. What it was has been printed.
    Broken,
}

/// Why a user was not served.
#[derive(Debug)]
pub(super) enum Unserved {
    /// When to try again, in seconds.
    Later(u64),
    /// What shows who the user is was not believed.
    Denied,
    /// There was no answer, or one that is none.
    Broken,
}

impl Seen {
    fn is_served(&self) -> bool {
        matches!(self, Self::Served(_) | Self::ServedAgain(..))
    }
}

impl Unserved {
    /// What a user saw who began then.
    fn after(self, begun: Instant) -> Seen {
        match self {
            Self::Later(seconds) => Seen::Refused(begun.elapsed(), seconds),
            Self::Denied => Seen::Denied,
            Self::Broken => Seen::Broken,
        }
    }
}

/// What all users of a cell saw.
#[derive(Debug)]
pub(super) struct Cell {
    seen: Vec<Seen>,
}

pub(super) fn repository(number: u64) -> String {
    format!("team-{number}/app")
}

/// The image that a tag of a repository points to: every one has another layer.
pub(super) fn image(number: u64, tag: u64) -> Image {
    let seed = 1000 * tag + number;
    Image::with_layers(seed, vec![bytes(seed, LAYER_BYTES)])
}

/// Tags by their number: what was pulled before, what was not, and what is pushed.
pub(super) const CACHED: u64 = 1;
pub(super) const NEW: u64 = 2;
pub(super) const PUSHED: u64 = 3;

pub(super) fn tag(number: u64) -> String {
    format!("v{number}")
}

impl Cell {
    /// Has a user for each repository do it, all at once.
    pub(super) async fn try_out(client: &Client, column: Column, expected: Expected) -> Self {
        let users = (0..REPOSITORIES).map(|number| async move {
            let begun = Instant::now();
            match attempt(client, column, number).await {
                Ok(()) => Seen::Served(begun.elapsed()),
                Err(Unserved::Later(seconds)) if expected == Expected::ServedInTheEnd => {
                    sleep(Duration::from_secs(seconds)).await;
                    match attempt(client, column, number).await {
                        Ok(()) => Seen::ServedAgain(begun.elapsed(), seconds),
                        Err(unserved) => unserved.after(begun),
                    }
                }
                Err(unserved) => unserved.after(begun),
            }
        });
        Self { seen: join_all(users).await }
    }

    /// What is wrong, unless users saw what they are to see.
    pub(super) fn wrong(&self, column: Column, expected: Expected) -> Option<String> {
        let as_expected = |seen: &Seen| match expected {
            Expected::Served => matches!(seen, Seen::Served(_)),
            Expected::ServedInTheEnd => seen.is_served(),
            Expected::Refused => matches!(seen, Seen::Refused(..)),
            Expected::Denied => matches!(seen, Seen::Denied),
        };
        (!self.seen.iter().all(as_expected)).then(|| format!("{column:?} is to be {expected:?}, and is {:?}", self.seen))
    }

    /// The numbers of the repositories with which it was done.
    pub(super) fn served(&self) -> impl Iterator<Item = u64> {
        (0..).zip(&self.seen).filter(|(_, seen)| seen.is_served()).map(|(number, _)| number)
    }
}

/// As it stands in the table.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = Vec::new();
        let served = self.seen.iter().filter_map(|seen| if let Seen::Served(time) = seen { Some(*time) } else { None });
        if let Some(longest) = served.max() {
            told.push(format!("served within {longest:.1?}"));
        }
        let again =
            self.seen.iter().filter_map(|seen| if let Seen::ServedAgain(time, after) = seen { Some((*time, *after)) } else { None });
        if let Some((longest, after)) = again.max() {
            told.push(format!("503 with `Retry-After: {after}` first, served within {longest:.1?}"));
        }
        let refused = self.seen.iter().filter_map(|seen| if let Seen::Refused(time, after) = seen { Some((*time, *after)) } else { None });
        if let Some((longest, after)) = refused.max() {
            told.push(format!("503 within {longest:.1?}, `Retry-After: {after}`"));
        }
        if self.seen.iter().any(|seen| matches!(seen, Seen::Denied)) {
            told.push("401".to_owned());
        }
        if self.seen.iter().any(|seen| matches!(seen, Seen::Broken)) {
            told.push("?".to_owned());
        }
        f.write_str(&told.join("; "))
    }
}

/// Does it once. What is wrong with one answer must not hide what the others are.
async fn attempt(client: &Client, column: Column, number: u64) -> Result<(), Unserved> {
    AssertUnwindSafe(ask(client, column, number)).catch_unwind().await.unwrap_or(Err(Unserved::Broken))
}

async fn ask(client: &Client, column: Column, number: u64) -> Result<(), Unserved> {
    match column {
        Column::PullCached => pull(client, number, CACHED).await,
        Column::PullNew => pull(client, number, NEW).await,
        Column::Push => push(client, number, PUSHED).await,
        Column::Tags => list(client, number).await,
        Column::Login => log_in(client, number).await,
    }
}

/// An answer as it should be, or why there is none. Anything else fails the test.
async fn answer(call: Call<'_>, expected: u16) -> Result<Reply, Unserved> {
    let answer = timeout(PATIENCE, call.try_send()).await.expect("every request is answered in time");
    let reply = answer.expect("every answer is whole");
    if reply.status == 503 {
        assert!(reply.body.is_empty() || reply.error_code() == "UNAVAILABLE", "{}", reply.text());
    }
    served(reply, expected)
}

fn served(reply: Reply, expected: u16) -> Result<Reply, Unserved> {
    match reply.status.as_u16() {
        503 => {
            let seconds = reply.header("retry-after").parse().expect("a 503 says when to try again");
            assert!(seconds > 0);
            Err(Unserved::Later(seconds))
        }
        401 => Err(Unserved::Denied),
        _ => Ok(reply.expect(expected)),
    }
}

/// Logs in in a browser of one's own, and shows the session.
async fn log_in(client: &Client, number: u64) -> Result<(), Unserved> {
    let attempt = async {
        let mut browser = Browser::default();
        let location = served(browser.ask(client, "GET", LOGIN, false).await, 302)?.location();
        let callback = browser.log_in_at_provider(&location, &format!("user-{number}")).await;
        served(browser.ask(client, "GET", &callback, false).await, 302)?;
        served(browser.ask(client, "GET", "/v2/", true).await, 200).map(drop)
    };
    timeout(PATIENCE, attempt).await.expect("every request is answered in time")
}

pub(super) async fn pull(client: &Client, number: u64, which: u64) -> Result<(), Unserved> {
    let (repository, image) = (repository(number), image(number, which));
    let manifest = answer(client.get_manifest(&repository, &tag(which)), 200).await?;
    assert_eq!(manifest.header("docker-content-digest"), image.digest());
    for blob in image.blobs() {
        let reply = answer(client.get_blob(&repository, &digest_of(blob)), 200).await?;
        assert!(reply.body == blob, "other bytes than were pushed");
    }
    Ok(())
}

pub(super) async fn push(client: &Client, number: u64, which: u64) -> Result<(), Unserved> {
    let (repository, image) = (repository(number), image(number, which));
    for blob in image.blobs() {
        let upload = answer(client.post(&format!("/v2/{repository}/blobs/uploads/")), 202).await?.location();
        answer(client.finish_upload(&upload, &digest_of(blob), blob), 201).await?;
    }
    answer(client.put_manifest(&repository, &tag(which), &image.manifest), 201).await.map(drop)
}

async fn list(client: &Client, number: u64) -> Result<(), Unserved> {
    let listed = answer(client.get(&format!("/v2/{}/tags/list", repository(number))), 200).await?.list("tags");
    assert!([CACHED, NEW].iter().all(|which| listed.contains(&tag(*which))), "{listed:?}");
    Ok(())
}
