//! What every handler is given: the request's head, on whose behalf it is, and what to ask.

use std::sync::Arc;

use axum::http::{HeaderMap, Method, request::Parts};
use zot_auth::Access;
use zot_contract::{Context, Registry};

use crate::outlet::Outlet;

use super::{Options, error::Refusal, permit::Permit, query::Query};

/// One request, without its body.
pub(crate) struct Call<'a> {
    /// Whom to ask.
    pub(crate) registry: &'a Arc<dyn Registry>,
    /// Who is let in.
    pub(crate) access: &'a Access,
    /// What is allowed here.
    pub(crate) options: &'a Options,
    /// What whoever asks may do.
    pub(crate) permit: &'a Permit<'a>,
    /// On whose behalf.
    pub(crate) cx: &'a Context,
    /// The way past this process's memory, if the connection has one.
    pub(crate) outlet: Option<Outlet>,
    /// The request's head.
    pub(crate) head: &'a Parts,
}

impl Call<'_> {
    /// The request's method.
    pub(crate) fn method(&self) -> &Method {
        &self.head.method
    }

    /// The request's headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The request's query.
    pub(crate) fn query(&self) -> Result<Query<'_>, Refusal> {
        Ok(Query::parse(self.head.uri.query())?)
    }
}
