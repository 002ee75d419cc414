//! Conditions in CEL, about the variable `req`: compiled once, looked at for each request that a policy would otherwise grant something.
//!
//! | `req.` | |
//! |---|---|
//! | `time` | when it is asked, UTC |
//! | `method`, `userAgent` | of the request |
//! | `action`, `repository` | what is asked for |
//! | `reference`, `referenceType`, `tag`, `digest` | of a manifest; `tag`, `digest` or empty says which it is |
//! | `user.username`, `user.groups`, `auth.anonymous`, `auth.admin` | who asks |
//! | `client.ip`, `client.forwardedFor` | from where; the latter is what `X-Forwarded-For` claims, which anybody can |
//! | `tls.enabled`, `tls.version` | how |
//! | `claims` | of the identity token, with numbers as doubles; empty without one |

use std::{cell::OnceCell, collections::HashMap, sync::Arc, time::SystemTime};

use cel::{Context, Env, ExecutionError, Program, Value};
use http::{HeaderMap, header::USER_AGENT};

use super::Wish;
use crate::{
    Identity,
    authn::Asked,
    expressions::{environment, of_json, one_line},
};

/// The one variable.
const REQUEST: &str = "req";
/// The header in which proxies say for whom they ask.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// A compiled condition.
#[derive(Debug)]
pub(super) struct Condition {
    program: Program,
    /// What is said when it does not hold.
    message: Option<Arc<str>>,
}

/// Compiles conditions, and has what they are evaluated with.
#[derive(Clone)]
pub(super) struct Language(Arc<Env>);

impl Language {
    /// Everything that expressions can do.
    pub(super) fn new() -> Result<Self, String> {
        environment().map(|environment| Self(Arc::new(environment)))
    }

    /// Compiles a condition. It is also tried on a made-up request, which finds names that do not exist and results that are no truth value.
    pub(super) fn compile(&self, expression: &str, message: Option<&str>) -> Result<Condition, String> {
        let program = self.0.compile(expression).map_err(|errors| one_line(&errors.to_string()))?;
        let condition = Condition { program, message: message.filter(|text| !text.is_empty()).map(Arc::from) };
        match condition.evaluate(self, &sample()) {
            Ok(Value::Bool(_)) => Ok(condition),
            Ok(other) => Err(format!("is {}, expected true or false", other.type_of())),
            Err(error @ ExecutionError::UndeclaredReference(_)) => Err(one_line(&error.to_string())),
            // Others may be for want of what a real request has.
            Err(_) => Ok(condition),
        }
    }
}

impl std::fmt::Debug for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Language")
    }
}

impl Condition {
    fn evaluate(&self, language: &Language, request: &Value) -> Result<Value, ExecutionError> {
        let mut context = Context::with_env(Arc::clone(&language.0));
        context.add_variable_from_value(REQUEST, request.clone());
        self.program.execute(&context)
    }
}

/// What a condition says of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// All hold.
    Yes,
    /// One does not, which says this.
    No(Option<Arc<str>>),
}

/// A request as conditions see it, made when the first one looks.
pub(super) struct Facts<'a> {
    language: &'a Language,
    who: &'a Identity,
    asked: &'a Asked<'a>,
    wish: &'a Wish<'a>,
    admin: bool,
    value: OnceCell<Value>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(language: &'a Language, who: &'a Identity, asked: &'a Asked<'a>, wish: &'a Wish<'a>, admin: bool) -> Self {
        Self { language, who, asked, wish, admin, value: OnceCell::new() }
    }

    /// Whether all of them hold. One that cannot be evaluated does not, and says nothing.
    pub(super) fn hold(&self, conditions: &[Condition]) -> Held {
        for condition in conditions {
            match condition.evaluate(self.language, self.value.get_or_init(|| self.value())) {
                Ok(Value::Bool(true)) => {}
                Ok(Value::Bool(false)) => return Held::No(condition.message.clone()),
                Ok(other) => {
                    tracing::debug!(found = %other.type_of(), "condition of a policy is neither true nor false");
                    return Held::No(None);
                }
                Err(error) => {
                    tracing::debug!(%error, "could not evaluate a condition of a policy");
                    return Held::No(None);
                }
            }
        }
        Held::Yes
    }

    fn value(&self) -> Value {
        let reference = self.wish.reference.unwrap_or_default();
        let (kind, tag, digest) = match reference {
            "" => ("", "", ""),
            digest if digest.contains(':') => ("digest", "", digest),
            tag => ("tag", tag, ""),
        };
        let groups: Vec<Value> = self.who.groups.iter().map(|group| Value::from(&**group)).collect();
        let tls = self.asked.peer.tls.as_ref();
        map([
            ("time", now()),
            ("method", self.asked.method.as_str().into()),
            ("userAgent", text(self.asked.headers, USER_AGENT.as_str()).into()),
            ("action", self.wish.action.as_str().into()),
            ("repository", self.wish.repository.into()),
            ("reference", reference.into()),
            ("referenceType", kind.into()),
            ("tag", tag.into()),
            ("digest", digest.into()),
            ("user", map([("username", self.who.user().unwrap_or_default().into()), ("groups", groups.into())])),
            ("auth", map([("anonymous", Value::Bool(self.who.is_anonymous())), ("admin", Value::Bool(self.admin))])),
            (
                "client",
                map([
                    ("ip", self.asked.peer.address.ip().to_canonical().to_string().into()),
                    ("forwardedFor", forwarded_for(self.asked.headers)),
                ]),
            ),
            ("tls", map([("enabled", Value::Bool(tls.is_some())), ("version", tls.map_or("", |tls| tls.version).into())])),
            ("claims", self.who.claims.as_deref().map_or_else(|| map([]), of_json)),
        ])
    }
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    entries.into_iter().collect::<HashMap<_, _>>().into()
}

fn now() -> Value {
    Value::Timestamp(chrono::DateTime::<chrono::Utc>::from(SystemTime::now()).fixed_offset())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn forwarded_for(headers: &HeaderMap) -> Value {
    let values = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let addresses = values.flat_map(|value| value.split(',')).map(str::trim).filter(|address| !address.is_empty());
    addresses.map(Value::from).collect::<Vec<_>>().into()
}

/// A request that nobody made.
fn sample() -> Value {
    let empty = || Value::from("");
    let none = || Value::from(Vec::<Value>::new());
    map([
        ("time", now()),
        ("method", "GET".into()),
        ("userAgent", empty()),
        ("action", "read".into()),
        ("repository", "repository".into()),
        ("reference", "latest".into()),
        ("referenceType", "tag".into()),
        ("tag", "latest".into()),
        ("digest", empty()),
        ("user", map([("username", "user".into()), ("groups", none())])),
        ("auth", map([("anonymous", Value::Bool(false)), ("admin", Value::Bool(false))])),
        ("client", map([("ip", "127.0.0.1".into()), ("forwardedFor", none())])),
        ("tls", map([("enabled", Value::Bool(false)), ("version", empty())])),
        ("claims", map([])),
    ])
}
