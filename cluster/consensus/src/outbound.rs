//! Messages to other nodes, Raft's own among them.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use openraft::{
    AnyError, RaftNetwork, RaftNetworkFactory,
    error::{Fatal, NetworkError, RPCError, RaftError, ReplicationClosed, StreamingError, Unreachable},
    network::{Backoff, RPCOption},
    raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse},
};
use parking_lot::Mutex;
use zot_cluster::{ClusterId, NodeId};

use crate::{
    error::{Contact, Error},
    options::{Transport, TransportError},
    raft::{Peer, Snapshot, Types, Vote},
    wire::{self, Answer, Envelope, Question},
};

/// How long replication leaves a node alone that cannot be reached, beginning with the first and growing to the last, in milliseconds.
const BACKOFF_MILLIS: (u64, u64) = (100, 1000);

/// Sends messages in this node's name.
#[derive(Debug)]
pub(crate) struct Outbound {
    me: Contact,
    cluster: Mutex<Option<ClusterId>>,
    transport: Arc<dyn Transport>,
    /// Where nodes were last heard from: one that came back at another address is found before the members agree on it.
    addresses: Mutex<BTreeMap<NodeId, String>>,
}

impl Outbound {
    pub(crate) fn new(me: Contact, cluster: Option<ClusterId>, transport: Arc<dyn Transport>) -> Self {
        Self { me, cluster: Mutex::new(cluster), transport, addresses: Mutex::default() }
    }

    /// As whom it sends.
    pub(crate) fn id(&self) -> NodeId {
        self.me.id
    }

    /// The cluster that this node belongs to.
    pub(crate) fn cluster(&self) -> Option<ClusterId> {
        self.cluster.lock().clone()
    }

    pub(crate) fn set_cluster(&self, cluster: ClusterId) {
        *self.cluster.lock() = Some(cluster);
    }

    /// Keeps in mind where a node is.
    pub(crate) fn met(&self, node: &Contact) {
        if node.id != self.me.id {
            self.addresses.lock().insert(node.id, node.address.clone());
        }
    }

    /// Asks whoever is at an address; with `to`, only if it is that node.
    pub(crate) async fn ask(&self, address: &str, to: Option<NodeId>, question: Question, within: Duration) -> Result<Answer, Error> {
        let envelope = Envelope { from: self.me.clone(), to, cluster: self.cluster(), question };
        let message = wire::write(&envelope)?;
        let unreachable = |reason: String| Error::Unreachable { address: address.to_owned(), reason };
        let answer = tokio::time::timeout(within, self.transport.call(address, message, within)).await;
        let answer = answer.map_err(|_| unreachable(format!("no answer within {within:?}")))?;
        let answer = answer.map_err(|error| unreachable(why(&error)))?;
        wire::read::<Result<Answer, Error>>(&answer)?
    }

    /// Asks a node of the cluster.
    pub(crate) async fn ask_node(&self, node: &Contact, question: Question, within: Duration) -> Result<Answer, Error> {
        self.ask(&self.address_of(node), Some(node.id), question, within).await
    }

    /// Where a node was last heard from.
    pub(crate) fn address_of(&self, node: &Contact) -> String {
        self.addresses.lock().get(&node.id).unwrap_or(&node.address).clone()
    }

    /// Lets whoever is at an address hear from this node, and if it does not lead, whom it says leads. Returns whether this node is a member, as
    /// a leader says whom the others follow.
    pub(crate) async fn say_present(&self, address: &str, to: Option<NodeId>, within: Duration) -> Result<bool, Error> {
        let mut answer = self.ask(address, to, Question::Present, within).await;
        if let Err(Error::NotLeader { leader: Some(leader) }) = &answer
            && leader.id != self.me.id
        {
            answer = self.ask_node(leader, Question::Present, within).await;
        }
        match answer? {
            Answer::Present(is_member) => Ok(is_member),
            _ => Err(Error::Malformed("the answer does not fit the question".to_owned())),
        }
    }
}

fn why(error: &TransportError) -> String {
    let (TransportError::Unreachable(source) | TransportError::Failed(source)) = error;
    zot_runtime::telemetry::chain(&**source).to_string()
}

/// Makes Raft's links.
#[derive(Debug)]
pub(crate) struct Links(pub(crate) Arc<Outbound>);

/// Raft's link to one node.
#[derive(Debug)]
pub(crate) struct Link {
    outbound: Arc<Outbound>,
    node: Contact,
}

impl RaftNetworkFactory<Types> for Links {
    type Network = Link;

    async fn new_client(&mut self, target: NodeId, peer: &Peer) -> Link {
        Link { outbound: Arc::clone(&self.0), node: Contact { id: target, address: peer.address.clone() } }
    }
}

type RpcError = RPCError<NodeId, Peer, RaftError<NodeId>>;

impl Link {
    async fn ask(&self, question: Question, within: Duration) -> Result<Answer, RpcError> {
        self.outbound.ask_node(&self.node, question, within).await.map_err(|error| match error {
            // Nobody is there, or somebody else is: openraft leaves it alone for a while.
            Error::Unreachable { .. } | Error::OtherNode | Error::OtherCluster | Error::Removed => {
                RPCError::Unreachable(Unreachable::new(&error))
            }
            other => RPCError::Network(NetworkError::new(&other)),
        })
    }
}

fn misfit() -> AnyError {
    AnyError::error("the answer does not fit the question")
}

impl RaftNetwork<Types> for Link {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<NodeId>, RpcError> {
        match self.ask(Question::Append(request), option.hard_ttl()).await? {
            Answer::Append(response) => Ok(response),
            _ => Err(RPCError::Network(NetworkError::from(misfit()))),
        }
    }

    async fn vote(&mut self, request: VoteRequest<NodeId>, option: RPCOption) -> Result<VoteResponse<NodeId>, RpcError> {
        match self.ask(Question::Vote(request), option.hard_ttl()).await? {
            Answer::Vote(response) => Ok(response),
            _ => Err(RPCError::Network(NetworkError::from(misfit()))),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<NodeId>, StreamingError<Types, Fatal<NodeId>>> {
        let question = Question::Snapshot { vote, meta: snapshot.meta, state: *snapshot.snapshot };
        let answer = tokio::select! {
            answer = self.outbound.ask_node(&self.node, question, option.hard_ttl()) => answer,
            closed = cancel => return Err(StreamingError::Closed(closed)),
        };
        match answer {
            Ok(Answer::Snapshot(response)) => Ok(response),
            Ok(_) => Err(StreamingError::Network(NetworkError::from(misfit()))),
            Err(error) => Err(StreamingError::Unreachable(Unreachable::new(&error))),
        }
    }

    fn backoff(&self) -> Backoff {
        let (first, last) = BACKOFF_MILLIS;
        let growing = std::iter::successors(Some(first), move |millis| Some((millis * 2).min(last)));
        Backoff::new(growing.map(Duration::from_millis))
    }
}
