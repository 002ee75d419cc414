//! What browsers ask for to log in and out.

pub(super) mod callback;
mod cookies;
pub(super) mod login;
pub(super) mod logout;
mod page;

pub(super) use cookies::with_cookies;
