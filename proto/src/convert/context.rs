//! Who asks, on the wire. Any text is a user or a request: what it means is decided by whoever authenticated it.

use zot_contract::{Context, Operation, OperationId, RequestId, Routed, SealedClaim, Subject};

use super::Malformed;
use crate::v1;

impl From<&Context> for v1::Context {
    fn from(cx: &Context) -> Self {
        let user = match &cx.subject {
            Subject::Anonymous => None,
            Subject::User(name) => Some(name.to_string()),
        };
        let routed = cx.routed.map(|Routed { view, failover }| v1::Routed { view, failover });
        let claim = cx.claim.as_ref().map(|claim| claim.as_bytes().to_vec().into());
        let operation = cx.operation.map(|Operation { id, again }| v1::Operation { id: id.as_bytes().to_vec().into(), again });
        Self { user, request: cx.request.to_string(), trace: cx.trace.as_ref().map(ToString::to_string), routed, claim, operation }
    }
}

impl TryFrom<v1::Context> for Context {
    type Error = Malformed;

    fn try_from(wire: v1::Context) -> Result<Self, Malformed> {
        let subject = wire.user.map_or(Subject::Anonymous, |name| Subject::User(name.into()));
        // A trace in a form that this release does not know is no reason to refuse a call.
        let trace = wire.trace.and_then(|text| text.parse().ok());
        let routed = wire.routed.map(|v1::Routed { view, failover }| Routed { view, failover });
        let claim = wire.claim.map(|claim| SealedClaim::new(&claim[..]));
        let operation = wire.operation.map(Operation::try_from).transpose()?;
        Ok(Self { routed, claim, operation, ..Self::new(subject, RequestId::new(&wire.request)).traced(trace) })
    }
}

/// An operation that cannot be told from others could be made twice.
impl TryFrom<v1::Operation> for Operation {
    type Error = Malformed;

    fn try_from(v1::Operation { id, again }: v1::Operation) -> Result<Self, Malformed> {
        let id = OperationId::from_bytes(&id).map_err(|source| Malformed::Invalid { field: "operation", source: Box::new(source) })?;
        Ok(Self { id, again })
    }
}

#[cfg(test)]
mod tests {
    use zot_contract::{Context, Operation, OperationId, RequestId, Routed, SealedClaim, Subject};

    use crate::v1;

    #[test]
    fn hostile_names_come_back_as_they_went_in() {
        for name in ["", "alice", "a\r\nb: c", "\0", "ä\u{202e}\u{10ffff}", &"x".repeat(100_000)] {
            let cx = Context::new(Subject::User(name.into()), RequestId::new(name));
            let back = Context::try_from(v1::Context::from(&cx)).unwrap();
            assert_eq!((back.subject, back.request), (cx.subject, cx.request));
        }
    }

    #[test]
    fn how_a_call_was_routed_and_traced_and_what_it_attempts_arrives() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok();
        let cx = Context::internal().traced(trace).routed(Routed { view: 7, failover: true }).claimed(SealedClaim::new(&b"sealed"[..]));
        let cx = cx.attempting(Operation { id: OperationId::new(), again: false }).again();
        let back = Context::try_from(v1::Context::from(&cx)).unwrap();
        assert_eq!((back.trace, back.routed, back.claim, back.operation), (cx.trace, cx.routed, cx.claim, cx.operation));
        let unreadable = v1::Context { trace: Some("of a later release".to_owned()), ..v1::Context::default() };
        assert_eq!(Context::try_from(unreadable).unwrap().trace, None);
        let nameless = v1::Context { operation: Some(v1::Operation::default()), ..v1::Context::default() };
        assert_eq!(Context::try_from(nameless).unwrap_err().to_string(), "message has an invalid operation");
    }

    #[test]
    fn nobody_is_not_the_user_without_a_name() {
        let back = Context::try_from(v1::Context::from(&Context::internal())).unwrap();
        assert_eq!(back.subject, Subject::Anonymous);
    }
}
