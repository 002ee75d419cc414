//! Whether somebody may do what they ask for, and what they are told if not.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use zot_auth::{
    Access, Challenges, Identity, Rights, TokenError,
    authn::{Asked, Credentials, Rejected},
    authz::{Action, Decision, Wish},
};
use zot_contract::{Collisions, TagPush, TagRule};
use zot_oci::{ErrorCode, Reference, RepositoryName, Tag};

use super::{
    error::Refusal,
    header::{API_VERSION, DOCKER_API_VERSION, ZOT_API_CLIENT, ZOT_UI},
    route::{Requirement, Route},
};

/// What the one who asks may do, in one request.
pub(crate) struct Permit<'a> {
    pub(super) access: &'a Access,
    pub(super) who: &'a Identity,
    pub(super) asked: Asked<'a>,
    pub(super) challenge: Challenge<'a>,
}

/// What somebody is told who has to say who they are.
pub(crate) struct Challenge<'a> {
    pub(super) challenges: &'a Challenges,
    pub(super) headers: &'a HeaderMap,
    /// What a token would have to be good for.
    pub(super) scope: String,
}

impl Challenge<'_> {
    /// The refusal of somebody whose proof was rejected.
    pub(crate) fn rejecting(&self, rejected: Rejected) -> Refusal {
        let is_token = matches!(rejected, Rejected::Wrong) && matches!(Credentials::of(self.headers), Ok(Some(Credentials::Bearer(_))));
        self.on(rejected.into(), is_token.then_some(TokenError::Invalid))
    }

    /// Adds it to a refusal for want of proof, with what is wrong with a token that was shown; other refusals stay as they are. The user interface
    /// asks for passwords itself: a browser that is told would ask too.
    pub(crate) fn on(&self, refusal: Refusal, error: Option<TokenError>) -> Refusal {
        if refusal.status() != StatusCode::UNAUTHORIZED {
            return refusal;
        }
        let refusal = refusal.header(DOCKER_API_VERSION, API_VERSION);
        if self.headers.get(ZOT_API_CLIENT).is_some_and(|client| *client == ZOT_UI) {
            return refusal;
        }
        let values = self.challenges.values(&self.scope, error);
        values.into_iter().fold(refusal, |refusal, value: HeaderValue| refusal.header(header::WWW_AUTHENTICATE, value))
    }
}

impl Permit<'_> {
    /// Requires what has to hold before a request is looked at any further.
    pub(super) fn require(&self, requirement: &Requirement<'_>, route: &Route) -> Result<(), Refusal> {
        let policy = self.access.policy();
        let let_in = !self.who.is_anonymous() || policy.lets_anybody_in();
        let allowed = match requirement {
            Requirement::Nothing => true,
            Requirement::Guest => let_in,
            Requirement::Ping => let_in && !(self.who.is_anonymous() && self.is_docker() && self.could_log_in()),
            Requirement::Known => !self.who.is_anonymous() || !policy.tells_users_apart(),
            // A token of the registry protocol lists what it was issued for, so that its client knows to ask for another one.
            Requirement::Listing => let_in && (!matches!(self.who.rights, Rights::Granted(_)) || policy.lists_everything(self.who)),
            Requirement::Repository { repository, reference, any_of } => {
                return self.require_any(repository, *reference, any_of);
            }
            Requirement::NoSuchMethod => return Err(Refusal::method(route)),
        };
        if allowed { Ok(()) } else { Err(self.denied(None)) }
    }

    fn require_any(&self, repository: &RepositoryName, reference: Option<&Reference>, any_of: &[Action]) -> Result<(), Refusal> {
        let mut reason = None;
        for action in any_of {
            match self.decide(*action, repository, reference) {
                Decision::Granted => return Ok(()),
                Decision::Denied(said) => reason = said.or(reason),
            }
        }
        Err(self.denied(reason.as_deref()))
    }

    fn decide(&self, action: Action, repository: &RepositoryName, reference: Option<&Reference>) -> Decision {
        let reference = reference.map(Reference::to_string);
        let wish = Wish { action, repository: repository.as_str(), reference: reference.as_deref() };
        self.access.policy().decide(self.who, &self.asked, &wish)
    }

    /// Whether an action is granted.
    pub(super) fn may(&self, action: Action, repository: &RepositoryName, reference: Option<&Reference>) -> bool {
        self.decide(action, repository, reference).is_granted()
    }

    /// Whether what is in a repository may be told.
    pub(super) fn may_read(&self, repository: &RepositoryName) -> bool {
        self.may(Action::Read, repository, None)
    }

    /// Whether what is in any repository may be told.
    pub(super) fn may_read_everything(&self) -> bool {
        self.access.policy().reads_everything(self.who)
    }

    /// Whether every repository is on the list.
    pub(super) fn lists_everything(&self) -> bool {
        let policy = self.access.policy();
        policy.lists_everything(self.who) || policy.reads_everything(self.who)
    }

    /// Whether a repository is on the list.
    pub(super) fn lists(&self, repository: &RepositoryName) -> bool {
        self.access.policy().lists(self.who, repository.as_str())
    }

    /// What may be done to each of the tags of a manifest that is pushed under `reference`: only the registry knows which of them there are.
    pub(super) fn pushes(&self, repository: &RepositoryName, reference: &Reference, tags: Vec<Tag>) -> Result<Vec<TagPush>, Refusal> {
        let may = |action, reference: &Reference| self.decide(action, repository, Some(reference));
        // A manifest that is pushed by its digest has to be allowed as such, beside each of its tags.
        let (create, update) = match reference {
            Reference::Digest(_) => (may(Action::Create, reference), may(Action::Update, reference)),
            Reference::Tag(_) => (Decision::Granted, Decision::Granted),
        };
        if let (Decision::Denied(reason), true) = (&create, tags.is_empty()) {
            return Err(self.denied(reason.as_deref()));
        }
        let rule = |tag: Tag| {
            let as_reference = Reference::Tag(tag.clone());
            let create = both(&create, may(Action::Create, &as_reference));
            let update = both(&update, may(Action::Update, &as_reference));
            let rule = match (create, update) {
                (Decision::Granted, Decision::Granted) => TagRule::Any,
                (Decision::Granted, Decision::Denied(_)) => TagRule::New,
                (Decision::Denied(_), Decision::Granted) => TagRule::Existing,
                (Decision::Denied(one), Decision::Denied(other)) => return Err(self.denied(other.or(one).as_deref())),
            };
            Ok(TagPush { tag, rule })
        };
        tags.into_iter().map(rule).collect()
    }

    /// What becomes of a deletion that would take more than one tag away.
    pub(super) fn collisions(&self, repository: &RepositoryName) -> Collisions {
        if self.access.policy().detects_collisions(self.who, repository.as_str()) { Collisions::Refused } else { Collisions::Accepted }
    }

    /// What a refusal by the registry is to this one: who is nobody in particular may be allowed more once they say who they are.
    pub(super) fn told(&self, refusal: Refusal) -> Refusal {
        if refusal.status() == StatusCode::FORBIDDEN && self.should_say_more() {
            let error = matches!(self.who.rights, Rights::Granted(_)).then_some(TokenError::InsufficientScope);
            return self.challenge.on(refusal.unproved(), error);
        }
        refusal
    }

    /// A refusal of what the policy does not grant.
    fn denied(&self, reason: Option<&str>) -> Refusal {
        let refusal = Refusal::new(StatusCode::FORBIDDEN, ErrorCode::Denied);
        self.told(match reason {
            Some(reason) => refusal.detail("reason", reason),
            None => refusal,
        })
    }

    /// Whether another proof could make a difference. Clients ask for another token if one is not good for what they want.
    fn should_say_more(&self) -> bool {
        self.who.is_anonymous() || matches!(self.who.rights, Rights::Granted(_))
    }

    fn is_docker(&self) -> bool {
        let agent = self.asked.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        agent.is_some_and(|agent| agent.starts_with("docker/") || agent.contains("Docker-Client"))
    }

    fn could_log_in(&self) -> bool {
        self.access.policy().tells_users_apart() && self.access.challenges().are_any()
    }
}

fn both(one: &Decision, other: Decision) -> Decision {
    match (one, other) {
        (Decision::Granted, other) => other,
        (Decision::Denied(reason), Decision::Granted) => Decision::Denied(reason.clone()),
        (Decision::Denied(reason), Decision::Denied(said)) => Decision::Denied(said.or_else(|| reason.clone())),
    }
}
