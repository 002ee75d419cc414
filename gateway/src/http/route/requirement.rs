//! What each method of each endpoint requires of whoever asks for it, all on one page and without an arm for the rest: a new endpoint does not
//! compile before it is decided on here.
//!
//! What a query asks for beyond this is required where it is read: reading the source of a mount, and for each tag of a push that it may be made or
//! moved.

use std::fmt;

use axum::http::Method;
use zot_auth::authz::Action;
use zot_oci::{Reference, RepositoryName};

use super::Route;

/// What has to hold before a request is looked at any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requirement<'r> {
    /// Nothing. Nobody is asked who they are.
    Nothing,
    /// To be known; or nobody in particular, where anybody may do something.
    Guest,
    /// The same, but docker, which decides by this whether to show who its user is, is asked where it would make a difference.
    Ping,
    /// To be known, where people are told apart.
    Known,
    /// The same as a guest; what is shown depends on who it is.
    Listing,
    /// Any of these actions on a repository.
    Repository {
        /// The repository.
        repository: &'r RepositoryName,
        /// Which of its manifests, if one.
        reference: Option<&'r Reference>,
        /// The actions.
        any_of: &'static [Action],
    },
    /// The endpoint has no such method.
    NoSuchMethod,
}

/// A method, as far as endpoints differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Read,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    Other,
}

impl Verb {
    fn of(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::Read,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            Method::OPTIONS => Self::Options,
            _ => Self::Other,
        }
    }
}

const READ: &[Action] = &[Action::Read];
const CREATE: &[Action] = &[Action::Create];
const PUSH: &[Action] = &[Action::Create, Action::Update];
const DELETE: &[Action] = &[Action::Delete];

impl<'r> Requirement<'r> {
    /// What `method` of `route` requires.
    pub(crate) fn of(route: &'r Route, method: &Method) -> Self {
        let verb = Verb::of(method);
        // A preflight carries no credentials (Fetch standard section 3.3.5), and tells nothing but what is in the program.
        if verb == Verb::Options {
            return Self::Nothing;
        }
        match route {
            Route::Base => only(verb == Verb::Read, Self::Ping),
            Route::Discover => only(verb == Verb::Read, Self::Guest),
            Route::Catalog => only(verb == Verb::Read, Self::Listing),
            Route::Tags { repository } => only(verb == Verb::Read, on(repository, None, READ)),
            Route::Referrers { repository, subject: _ } => only(verb == Verb::Read, on(repository, None, READ)),
            Route::Manifest { repository, reference } => match verb {
                Verb::Read => on(repository, Some(reference), READ),
                Verb::Put => on(repository, Some(reference), PUSH),
                Verb::Delete => on(repository, Some(reference), DELETE),
                Verb::Post | Verb::Patch | Verb::Options | Verb::Other => Self::NoSuchMethod,
            },
            Route::Blob { repository, digest: _ } => match verb {
                Verb::Read => on(repository, None, READ),
                Verb::Delete => on(repository, None, DELETE),
                Verb::Post | Verb::Put | Verb::Patch | Verb::Options | Verb::Other => Self::NoSuchMethod,
            },
            Route::Uploads { repository } => only(verb == Verb::Post, on(repository, None, CREATE)),
            // Whoever may open an upload may ask how far it is, and give it up: it is nobody else's.
            Route::Upload { repository, upload: _ } => match verb {
                Verb::Read | Verb::Put | Verb::Patch | Verb::Delete => on(repository, None, CREATE),
                Verb::Post | Verb::Options | Verb::Other => Self::NoSuchMethod,
            },
            Route::Login | Route::Callback { provider: _ } => only(*method == Method::GET, Self::Nothing),
            Route::Logout => only(verb == Verb::Post, Self::Nothing),
            Route::Token => only(matches!(verb, Verb::Read | Verb::Post), Self::Nothing),
            Route::ApiKeys => only(matches!(verb, Verb::Read | Verb::Post | Verb::Delete), Self::Known),
            Route::Live | Route::Ready | Route::Started => only(verb == Verb::Read, Self::Nothing),
        }
    }

    /// The scope of a token that would do, as the token protocol of docker's registry has it; empty if any would.
    pub(crate) fn scope(&self) -> String {
        match self {
            Self::Listing => "registry:catalog:*".to_owned(),
            Self::Repository { repository, any_of, .. } => format!("repository:{repository}:{}", TokenActions(any_of)),
            Self::Nothing | Self::Guest | Self::Ping | Self::Known | Self::NoSuchMethod => String::new(),
        }
    }
}

fn only(has: bool, requirement: Requirement<'_>) -> Requirement<'_> {
    if has { requirement } else { Requirement::NoSuchMethod }
}

fn on<'r>(repository: &'r RepositoryName, reference: Option<&'r Reference>, any_of: &'static [Action]) -> Requirement<'r> {
    Requirement::Repository { repository, reference, any_of }
}

/// Actions by the names that tokens have for them. Whoever pushes is offered to pull as well, as clients do both.
struct TokenActions(&'static [Action]);

impl fmt::Display for TokenActions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: &[&str] = match self.0.first() {
            Some(Action::Create | Action::Update) => &["pull", "push"],
            Some(Action::Delete) => &["delete"],
            Some(Action::Read | Action::DetectManifestCollision) | None => &["pull"],
        };
        f.write_str(&names.join(","))
    }
}
