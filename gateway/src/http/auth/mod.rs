//! How clients come by what proves who they are, and how browsers log in and out: one way a file.

pub(super) mod api_keys;
pub(super) mod callback;
mod cookies;
pub(super) mod login;
pub(super) mod logout;
mod page;
pub(super) mod token;

pub(super) use cookies::with_cookies;
