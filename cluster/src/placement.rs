//! Which member owns a repository: consistent hashing with virtual nodes over the members of a view.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
};

use consistent_hash::{Node, RingHash, StaticHashRing};
use siphasher::sip::SipHasher24;
use zot_oci::RepositoryName;

use crate::{Member, NodeId, Storage, View};

/// Points of each member on the ring. More of them spread repositories more evenly and cost memory: with 1,000, shares differ by some percent.
const POINTS: usize = 1000;

/// How many names tell the shares of the members.
const SHARE_SAMPLES: u64 = 20_000;

/// The key under which repositories are hashed (`cluster.hashKey`), the same everywhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HashKey([u8; 16]);

impl HashKey {
    /// A key of 16 bytes.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(…)")
    }
}

/// Who owns what in a view.
pub struct Placement {
    view: View,
    ring: StaticHashRing<'static, RingNode, (), KeyedHash>,
}

/// SipHash-2-4 over the same bytes on every machine and in every release.
struct KeyedHash(HashKey);

impl KeyedHash {
    fn hasher(&self) -> SipHasher24 {
        SipHasher24::new_with_key(&self.0.0)
    }
}

impl RingHash for KeyedHash {
    fn hash_item<T: Hash>(&self, item: &T) -> u64 {
        let mut hasher = self.hasher();
        item.hash(&mut hasher);
        hasher.finish()
    }

    fn hash_vnode<K: Hash>(&self, node: &K, point: usize) -> u64 {
        let mut hasher = self.hasher();
        node.hash(&mut hasher);
        hasher.write(&(point as u64).to_le_bytes());
        hasher.finish()
    }
}

/// A member as bytes on the ring: the standard library does not promise which bytes it hashes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct RingNode(NodeId);

impl Hash for RingNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0.0.to_le_bytes());
    }
}

/// A repository as bytes on the ring.
struct RingItem<'a>(&'a str);

impl Hash for RingItem<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0.as_bytes());
    }
}

impl Placement {
    /// Places repositories on the members of `view`.
    pub fn new(view: View, key: HashKey) -> Self {
        let nodes = view.owners().map(|member| Node::new(RingNode(member.id)).quantity(POINTS));
        let ring = StaticHashRing::new(KeyedHash(key), nodes.collect::<Vec<_>>().into_iter());
        Self { view, ring }
    }

    /// The view that this is the placement of.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The owner of a repository; nobody if no member can own one.
    pub fn owner(&self, repository: &RepositoryName) -> Option<&Member> {
        self.candidates(repository).next()
    }

    /// The owner of a repository, then those who would own it if the ones before were gone.
    pub fn candidates(&self, repository: &RepositoryName) -> impl Iterator<Item = &Member> {
        self.ring.calc_candidates(&RingItem(repository.as_str())).filter_map(|node| self.view.member(node.key.0))
    }
}

impl Placement {
    /// Who has the record of a user, then those who can stand in. With shared storage that follows from the name, so that a user's requests
    /// meet at one member. With local storage one member has the records of all users.
    pub fn candidates_of_user(&self, user: &str) -> Vec<&Member> {
        match self.view.storage {
            Storage::Shared => self.ring.calc_candidates(&RingItem(user)).filter_map(|node| self.view.member(node.key.0)).collect(),
            Storage::Local => self.view.keeper_of_users().into_iter().collect(),
        }
    }

    /// The share of all repositories that each owner has, in 1/1000, measured with names that stand for all.
    pub fn shares(&self) -> BTreeMap<NodeId, u64> {
        let owners = (0..SHARE_SAMPLES).filter_map(|sample| self.ring.calc_candidates(&RingItem(&sample.to_string())).next());
        let mut owned = BTreeMap::<NodeId, u64>::new();
        owners.for_each(|node| *owned.entry(node.key.0).or_default() += 1);
        owned.into_iter().map(|(node, count)| (node, count * 1000 / SHARE_SAMPLES)).collect()
    }
}

impl fmt::Debug for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placement").field("view", &self.view).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    const REPOSITORIES: usize = 20_000;

    fn view(states: &[(u64, State)]) -> View {
        let member = |&(id, state): &(u64, State)| Member { id: NodeId(id), name: format!("n{id}"), address: format!("n{id}:9090"), state };
        View { cluster: None, number: 1, storage: Storage::Shared, members: states.iter().map(member).collect() }
    }

    fn up(nodes: u64) -> View {
        view(&(1..=nodes).map(|id| (id, State::Up)).collect::<Vec<_>>())
    }

    fn placement(view: View) -> Placement {
        Placement::new(view, HashKey::new(*b"loremipsumdolors"))
    }

    fn owners(placement: &Placement) -> Vec<NodeId> {
        (0..REPOSITORIES).map(|index| placement.owner(&format!("team/app-{index}").parse().unwrap()).unwrap().id).collect()
    }

    #[test]
    fn shares_differ_by_less_than_a_tenth() {
        for nodes in [2, 3, 5, 16] {
            let shares = placement(up(nodes)).shares();
            assert_eq!(shares.len() as u64, nodes);
            assert!(shares.values().all(|share| share.abs_diff(1000 / nodes) < 100 / nodes), "{nodes} nodes: {shares:?}");
        }
    }

    #[test]
    fn a_node_that_comes_or_goes_moves_only_its_own_share() {
        let (three, four) = (owners(&placement(up(3))), owners(&placement(up(4))));
        let moved: Vec<NodeId> = three.iter().zip(&four).filter(|(before, after)| before != after).map(|(_, after)| *after).collect();
        assert!(moved.iter().all(|after| *after == NodeId(4)), "nothing moves between those who stay");
        assert!(moved.len() < REPOSITORIES * 30 / 100, "{} of {REPOSITORIES} moved", moved.len());
    }

    #[test]
    fn the_next_candidate_is_the_owner_once_the_owner_is_gone() {
        let all = placement(up(3));
        let without_first = placement(view(&[(1, State::Down), (2, State::Up), (3, State::Up)]));
        for index in 0..100 {
            let name: RepositoryName = format!("app-{index}").parse().unwrap();
            let candidates: Vec<NodeId> = all.candidates(&name).map(|member| member.id).collect();
            assert_eq!(candidates.len(), 3);
            let heir = candidates.into_iter().find(|id| *id != NodeId(1)).unwrap();
            assert_eq!(without_first.owner(&name).unwrap().id, heir);
        }
    }

    #[test]
    fn only_members_that_are_up_own_repositories_of_shared_storage() {
        let states = [(1, State::Joining), (2, State::Draining), (3, State::Down)];
        let name: RepositoryName = "app".parse().unwrap();
        assert_eq!(placement(view(&states)).owner(&name), None);
        let local = View { storage: Storage::Local, ..view(&states) };
        assert!(placement(local).owner(&name).is_some_and(|owner| owner.state != State::Joining));
    }

    #[test]
    fn owners_are_the_same_on_every_machine_and_in_every_release() {
        let found: Vec<u64> = ["alpine", "library/alpine", "infra/app", "zot-test"]
            .map(|name| placement(up(3)).owner(&name.parse().unwrap()).unwrap().id.0)
            .into();
        assert_eq!(found, [1, 2, 2, 3]);
    }

    #[test]
    fn users_are_spread_where_storage_is_shared_and_in_one_place_where_it_is_not() {
        let owners = |placement: &Placement| -> Vec<NodeId> {
            (0..100).map(|number| placement.candidates_of_user(&format!("user-{number}"))[0].id).collect()
        };
        let shared = placement(up(3));
        assert!((1..=3).all(|id| owners(&shared).contains(&NodeId(id))));
        assert_eq!(shared.candidates_of_user("alice").len(), 3);
        let states = [(1, State::Down), (2, State::Up), (3, State::Draining)];
        let local = placement(View { storage: Storage::Local, ..view(&states) });
        assert!(owners(&local).iter().all(|id| *id == NodeId(1)));
        assert_eq!(local.candidates_of_user("alice").len(), 1);
    }
}
