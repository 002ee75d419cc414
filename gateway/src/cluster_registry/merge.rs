//! Pages of several members as one. Pure.

use std::collections::BTreeSet;

use zot_contract::Page;

/// The first `entries_max` entries of all pages together, each once. Entries that come after the end of a page that has more are left for later:
/// what its member has before them is not known yet.
pub(super) fn merge<T: Ord + Clone>(pages: Vec<Page<T>>, entries_max: usize) -> Page<T> {
    // Nothing comes before everything: a page without entries that has more leaves all entries for later.
    let known_to: Option<Option<T>> = pages.iter().filter(|page| page.more).map(|page| page.entries.last().cloned()).min();
    let mut entries: BTreeSet<T> = pages.into_iter().flat_map(|page| page.entries).collect();
    if let Some(end) = &known_to {
        entries.retain(|entry| Some(entry) <= end.as_ref());
    }
    let more = known_to.is_some() || entries.len() > entries_max;
    Page { entries: entries.into_iter().take(entries_max).collect(), more }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What one member has.
    type Names = BTreeSet<u8>;

    /// What a member answers: it may give less than it was asked for, though not nothing.
    fn page(names: &Names, after: Option<u8>, entries_max: usize) -> Page<u8> {
        let mut following = names.iter().copied().filter(|name| after.is_none_or(|after| *name > after));
        let entries: Vec<u8> = following.by_ref().take(entries_max).collect();
        Page { entries, more: following.next().is_some() }
    }

    /// Something that happens between two pages.
    #[derive(Debug, Clone)]
    enum Change {
        Push(usize, u8),
        Delete(u8),
        Join(Names),
    }

    fn names() -> impl Strategy<Value = Names> {
        prop::collection::btree_set(any::<u8>(), 0..40)
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            (0..4_usize, any::<u8>()).prop_map(|(member, name)| Change::Push(member, name)),
            any::<u8>().prop_map(Change::Delete),
            names().prop_map(Change::Join),
        ]
    }

    fn apply(members: &mut Vec<Names>, change: Change) {
        match change {
            Change::Push(member, name) => {
                let member = member % members.len();
                members[member].insert(name);
            }
            Change::Delete(name) => members.iter_mut().for_each(|names| names.retain(|had| *had != name)),
            Change::Join(names) => members.push(names),
        }
    }

    proptest! {
        #[test]
        fn what_stays_is_listed_once_and_in_order_while_everything_changes(
            mut members in prop::collection::vec(names(), 1..4),
            limits in prop::collection::vec(1..8_usize, 1..4),
            entries_max in 1..8_usize,
            changes in prop::collection::vec(change(), 0..60),
        ) {
            let mut stayed: Names = members.iter().flatten().copied().collect();
            let (mut listed, mut changes) = (Vec::<u8>::new(), changes.into_iter());
            loop {
                let limit = |member: usize| entries_max.min(limits[member % limits.len()]);
                let after = listed.last().copied();
                let pages = members.iter().enumerate().map(|(member, names)| page(names, after, limit(member)));
                let merged = merge(pages.collect(), entries_max);
                prop_assert!(merged.entries.len() <= entries_max);
                prop_assert!(!merged.entries.is_empty() || !merged.more, "each page gets on");
                listed.extend(merged.entries);
                if !merged.more {
                    break;
                }
                changes.next().into_iter().for_each(|change| apply(&mut members, change));
                stayed.retain(|name| members.iter().any(|names| names.contains(name)));
            }
            prop_assert!(listed.is_sorted_by(|one, next| one < next), "{listed:?}");
            prop_assert!(stayed.iter().all(|name| listed.contains(name)), "{stayed:?} were there all the time, {listed:?} was listed");
        }
    }

    #[test]
    fn pages_without_entries_hold_everything_back() {
        let nothing = Page { entries: Vec::new(), more: true };
        let something = Page { entries: vec![1, 2], more: false };
        assert_eq!(merge(vec![something.clone(), nothing], 10), Page { entries: Vec::new(), more: true });
        assert_eq!(merge(vec![something.clone()], 0), Page { entries: Vec::new(), more: true });
        assert_eq!(merge(vec![something.clone(), something.clone()], 10), something);
    }
}
