//! Who asks, in which request, and how whoever asks chose whom to ask.

mod operation;
mod trace;

use std::{fmt, sync::Arc};

pub use operation::{Operation, OperationId, Written};
pub use trace::{InvalidTraceParent, TraceParent};

/// Travels with every call, first parameter everywhere.
#[derive(Debug, Clone)]
pub struct Context {
    /// On whose behalf the call is made.
    pub subject: Subject,
    /// The request that the call belongs to, for logs and traces.
    pub request: RequestId,
    /// The trace that the request belongs to, if its sender keeps one.
    pub trace: Option<TraceParent>,
    /// How the cluster's own caller chose whom to ask; absent where nobody chose.
    pub routed: Option<Routed>,
    /// What a gateway has decided that the call may do, sealed; absent where nobody needs to vouch.
    pub claim: Option<SealedClaim>,
    /// The change that the call is an attempt at; absent where nobody else is ever asked for it.
    pub operation: Option<Operation>,
}

impl Context {
    /// The context of a call made by `subject` within `request`.
    pub fn new(subject: Subject, request: RequestId) -> Self {
        Self { subject, request, trace: None, routed: None, claim: None, operation: None }
    }

    /// The same context, as part of a trace.
    pub fn traced(self, trace: Option<TraceParent>) -> Self {
        Self { trace, ..self }
    }

    /// The same context, for whom `routed` led to.
    pub fn routed(self, routed: Routed) -> Self {
        Self { routed: Some(routed), ..self }
    }

    /// The same context, for whom a gateway vouches.
    pub fn claimed(self, claim: SealedClaim) -> Self {
        Self { claim: Some(claim), ..self }
    }

    /// The same context, as an attempt at `operation`.
    pub fn attempting(self, operation: Operation) -> Self {
        Self { operation: Some(operation), ..self }
    }

    /// The same context, for an attempt that may not be the first.
    pub fn again(self) -> Self {
        Self { operation: self.operation.map(|operation| Operation { again: true, ..operation }), ..self }
    }

    /// The context of work that no client asked for.
    pub fn internal() -> Self {
        Self::new(Subject::Anonymous, RequestId::new("internal"))
    }
}

/// A claim that only members of the cluster can make and read; to everybody else it is some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedClaim(Arc<[u8]>);

impl SealedClaim {
    /// The claim in these bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// How a caller within the cluster chose whom to ask. Nothing that a client sends gets here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Routed {
    /// The number of the view that it went by.
    pub view: u64,
    /// Whether whoever is asked shall serve if it can, though another one may own the repository: those who come before did not answer, or
    /// the call was sent on already.
    pub failover: bool,
}

/// An authenticated identity, or nobody.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Nobody in particular.
    Anonymous,
    /// A user, by name.
    User(Arc<str>),
}

impl Subject {
    /// The user's name, empty for [`Subject::Anonymous`].
    pub fn name(&self) -> &str {
        match self {
            Self::Anonymous => "",
            Self::User(name) => name,
        }
    }

    /// The subject of that name; the empty name is [`Subject::Anonymous`].
    pub fn of_name(name: &str) -> Self {
        if name.is_empty() { Self::Anonymous } else { Self::User(name.into()) }
    }
}

/// Identifies a request across processes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The request identified by `text`.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
