//! What holds for the pages of a list.

use std::{collections::BTreeSet, future::Future, sync::Arc};

use proptest::{
    collection::{btree_set, vec},
    prelude::{Strategy, any},
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};

use super::{Client, content::Document};
use crate::{Page, PageRequest, Registry, Result};

/// Repositories whose bytewise order is not that of their path components.
const REPOSITORIES: &[&str] = &["b", "a0", "a/b/c", "a", "aa", "a_b", "a/b", "a-b", "a.b"];
/// Tags whose bytewise order is not the alphabet's.
const TAGS: &[&str] = &["ab", "a.b", "_", "a", "9", "Z", "10", "a-b", "0"];

pub(super) async fn tags_come_in_bytewise_order(registry: Arc<dyn Registry>) {
    let client = with_tags(&registry, "a", TAGS).await;
    let entries = walk(3, async |page| client.tags_page(&page).await).await;
    assert_eq!(entries, sorted(TAGS));
}

pub(super) async fn repositories_come_in_bytewise_order(registry: Arc<dyn Registry>) {
    let client = with_repositories(&registry, REPOSITORIES).await;
    for entries_max in 1..=REPOSITORIES.len() + 1 {
        let entries = walk(entries_max, async |page| client.repositories_page(&page).await).await;
        assert_eq!(entries, sorted(REPOSITORIES));
    }
}

pub(super) async fn a_page_may_start_after_what_does_not_exist(registry: Arc<dyn Registry>) {
    let client = with_repositories(&registry, REPOSITORIES).await;
    with_tags(&registry, "a", TAGS).await;
    // What is not even a valid name is still a place in the order.
    for after in ["", "A", "a!", "a/", "a/b0", "a~", "zzz", "\u{10ffff}"] {
        let page = PageRequest::after(after, 100);
        assert_eq!(client.repositories_page(&page).await.unwrap().entries, beyond(REPOSITORIES, after), "{after:?}");
        assert_eq!(client.tags_page(&page).await.unwrap().entries, beyond(TAGS, after), "{after:?}");
    }
}

pub(super) async fn a_page_may_ask_for_nothing_or_everything(registry: Arc<dyn Registry>) {
    let client = with_tags(&registry, "a", TAGS).await;
    let nothing = PageRequest::first(0);
    assert!(client.tags_page(&nothing).await.unwrap().entries.is_empty());
    assert!(client.repositories_page(&nothing).await.unwrap().entries.is_empty());
    let everything = client.tags_page(&PageRequest::first(usize::MAX)).await.unwrap();
    assert_eq!((everything.entries, everything.more), (sorted(TAGS), false));
    let last = client.tags_page(&PageRequest::after("ab", usize::MAX)).await.unwrap();
    assert_eq!((last.entries.len(), last.more), (0, false));
}

pub(super) async fn tags_page_like_a_sorted_set(registry: Arc<dyn Registry>) {
    let questions = vec((tag(), 1..8_usize), 1..12);
    for (number, (tags, questions)) in samples((btree_set(tag(), 1..12), questions)).into_iter().enumerate() {
        let client = with_tags(&registry, &format!("p/{number}"), &texts(&tags)).await;
        for (after, entries_max) in questions {
            let page = client.tags_page(&PageRequest::after(&after, entries_max)).await;
            assert_eq!(page.unwrap(), expected(&tags, &after, entries_max), "{tags:?} after {after:?}");
        }
    }
}

pub(super) async fn repositories_page_like_a_sorted_set(registry: Arc<dyn Registry>) {
    let mut all = BTreeSet::new();
    for (names, questions) in samples((btree_set(name(), 1..4), vec((name(), 1..8_usize), 1..6))) {
        let client = with_repositories(&registry, &texts(&names)).await;
        all.extend(names);
        for (after, entries_max) in questions {
            let page = client.repositories_page(&PageRequest::after(&after, entries_max)).await;
            assert_eq!(page.unwrap(), expected(&all, &after, entries_max), "{all:?} after {after:?}");
        }
    }
}

/// Short tags of few characters, so that they often prefix one another.
fn tag() -> impl Strategy<Value = String> {
    "[aA0_][aA0_.-]{0,2}"
}

/// Short names of few characters, so that they often prefix one another.
fn name() -> impl Strategy<Value = String> {
    ("[ab0]{1,2}", any::<bool>(), "[./_-]", "[ab0]{1,2}").prop_map(
        |(first, long, between, second)| {
            if long { format!("{first}{between}{second}") } else { first }
        },
    )
}

/// The same few values in every run. Nothing is shrunk: every assertion prints its whole case, which is small.
fn samples<S: Strategy>(strategy: S) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..Config::default().cases / 8).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

fn expected(all: &BTreeSet<String>, after: &str, entries_max: usize) -> Page<String> {
    let beyond: Vec<String> = all.iter().filter(|entry| entry.as_str() > after).cloned().collect();
    Page { more: beyond.len() > entries_max, entries: beyond.into_iter().take(entries_max).collect() }
}

fn sorted(names: &[&str]) -> Vec<String> {
    let names: BTreeSet<&str> = names.iter().copied().collect();
    names.into_iter().map(str::to_owned).collect()
}

fn beyond(names: &[&str], after: &str) -> Vec<String> {
    sorted(names).into_iter().filter(|name| name.as_str() > after).collect()
}

fn texts(names: &BTreeSet<String>) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Every entry, page by page.
pub(super) async fn walk<F: Future<Output = Result<Page<String>>>>(entries_max: usize, list: impl Fn(PageRequest) -> F) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    loop {
        let after = entries.last().map(|last| last.as_str().into());
        let page = list(PageRequest { after, entries_max }).await.unwrap();
        assert!(page.entries.len() <= entries_max);
        assert!(!page.more || page.entries.len() == entries_max, "a page that is not the last is full");
        entries.extend(page.entries);
        assert!(entries.is_sorted_by(|one, next| one < next), "out of order: {entries:?}");
        if !page.more {
            return entries;
        }
    }
}

/// A client in a repository that has `tags`.
async fn with_tags(registry: &Arc<dyn Registry>, repository: &str, tags: &[&str]) -> Client {
    let client = Client::new(registry, repository);
    client.put(Document::index(&[]).push(tags)).await.unwrap();
    client
}

/// A client of a registry that has repositories of these names.
async fn with_repositories(registry: &Arc<dyn Registry>, names: &[&str]) -> Client {
    let client = Client::new(registry, "a");
    for name in names {
        client.repository(name).put(Document::index(&[]).push(&[])).await.unwrap();
    }
    client
}
