//! What proving who one is costs: a manifest for nobody in particular, and for a user by each way; and many sessions in Redis.

use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Case, Group};
use crate::content::{Family, Image};
use crate::plan::{KIB, Plan};
use crate::server::guests::{REPOSITORY, USER};
use crate::session::Session;

/// The scenario that has servers of its own.
pub(crate) const NAME: &str = "guests";
const CLIENTS: usize = 4;
/// By which the registry's own pages are known.
const PAGES: &str = "X-ZOT-API-CLIENT: zot-ui\r\n";
/// Sessions are read in an order in which neighbours were not begun one after the other: a number that no count of them is a multiple of.
const STRIDE: u64 = 7919;

/// What was learnt from the server of a round.
#[derive(Default)]
struct Learnt {
    key: String,
    cookies: Vec<String>,
}

type Shared = Arc<RwLock<Learnt>>;

/// One server: what the counted case begins, the last one shows.
pub(super) fn groups(plan: &Plan) -> Vec<Group> {
    let (learnt, few, many) = (Shared::default(), plan.page, plan.sessions);
    let prepared = Arc::clone(&learnt);
    let begun = Arc::clone(&learnt);
    let log_in = Case::new(format!("log in {many} times"), CLIENTS, move |session, _| {
        let cookie = session.log_in(&headers())?;
        change(&begun, |learnt| learnt.cookies.push(cookie));
        Ok(0)
    });
    let cases = vec![
        manifest("GET manifest, nobody", |_| Ok(String::new())),
        manifest("GET manifest, password", |_| Ok(basic(USER.1))),
        manifest("GET manifest, API key", {
            let learnt = Arc::clone(&learnt);
            move |_| Ok(basic(&read(&learnt, |learnt| learnt.key.clone())))
        }),
        manifest("GET manifest, token", |session| Ok(format!("Authorization: Bearer {}\r\n", session.token().context("a token")?))),
        shown(format!("GET manifest, session of {few}"), &learnt),
        log_in.times(many).by_decile(),
        shown(format!("GET manifest, session of {}", many + few), &learnt),
    ];
    vec![Group { cases, prepare: Box::new(move |session| prepare(session, &prepared, few)) }]
}

fn prepare(session: &mut Session, learnt: &Shared, few: u64) -> anyhow::Result<()> {
    session.put_image(REPOSITORY, "v1", &Image::new(vec![Family::new(KIB).unique()], "guests"))?;
    let made = session.post_as("/zot/auth/apikey", &basic(USER.1), b"{}", 201)?;
    let made: serde_json::Value = serde_json::from_slice(&made.body).context("read the new key")?;
    let Some(key) = made["apiKey"].as_str() else { bail!("the answer has no key") };
    let cookies = (0..few).map(|_| session.log_in(&headers())).collect::<anyhow::Result<_>>()?;
    change(learnt, |learnt| *learnt = Learnt { key: key.to_owned(), cookies });
    Ok(())
}

/// A case of showing what `shown` gives, each time anew.
fn manifest(name: impl Into<String>, shown: impl Fn(&Session) -> anyhow::Result<String> + Send + Sync + 'static) -> Case {
    let target = format!("/v2/{REPOSITORY}/manifests/v1");
    Case::new(name, CLIENTS, move |session, _| {
        let headers = shown(session)?;
        session.get_as(&target, &headers)
    })
}

fn shown(name: String, learnt: &Shared) -> Case {
    let (learnt, target) = (Arc::clone(learnt), format!("/v2/{REPOSITORY}/manifests/v1"));
    Case::new(name, CLIENTS, move |session, number| {
        let cookie = read(&learnt, |learnt| {
            let count = learnt.cookies.len().max(1) as u64;
            learnt.cookies.get((number.wrapping_mul(STRIDE) % count) as usize).cloned()
        });
        session.get_as(&target, &format!("{PAGES}Cookie: {}\r\n", cookie.context("no session was begun")?))
    })
}

fn headers() -> String {
    format!("{PAGES}{}", basic(USER.1))
}

fn basic(password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{}:{password}", USER.0)))
}

fn read<T>(learnt: &Shared, of: impl FnOnce(&Learnt) -> T) -> T {
    of(&learnt.read().unwrap_or_else(PoisonError::into_inner))
}

fn change(learnt: &Shared, change: impl FnOnce(&mut Learnt)) {
    change(&mut learnt.write().unwrap_or_else(PoisonError::into_inner));
}
