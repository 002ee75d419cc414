//! Who asks, on the wire. Any text is a user or a request: what it means is decided by whoever authenticated it.

use zot_contract::{Context, RequestId, Subject};

use crate::v1;

impl From<&Context> for v1::Context {
    fn from(cx: &Context) -> Self {
        let user = match &cx.subject {
            Subject::Anonymous => None,
            Subject::User(name) => Some(name.to_string()),
        };
        Self { user, request: cx.request.to_string() }
    }
}

impl From<v1::Context> for Context {
    fn from(wire: v1::Context) -> Self {
        let subject = wire.user.map_or(Subject::Anonymous, |name| Subject::User(name.into()));
        Self::new(subject, RequestId::new(&wire.request))
    }
}

#[cfg(test)]
mod tests {
    use zot_contract::{Context, RequestId, Subject};

    use crate::v1;

    #[test]
    fn hostile_names_come_back_as_they_went_in() {
        for name in ["", "alice", "a\r\nb: c", "\0", "ä\u{202e}\u{10ffff}", &"x".repeat(100_000)] {
            let cx = Context::new(Subject::User(name.into()), RequestId::new(name));
            let back = Context::from(v1::Context::from(&cx));
            assert_eq!((back.subject, back.request), (cx.subject, cx.request));
        }
    }

    #[test]
    fn nobody_is_not_the_user_without_a_name() {
        let back = Context::from(v1::Context::from(&Context::internal()));
        assert_eq!(back.subject, Subject::Anonymous);
    }
}
