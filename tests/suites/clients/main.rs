//! What real clients and the specification's own conformance suite see.
#![cfg(test)]

mod api_keys;
mod authority;
mod buildah;
mod compose;
mod conformance;
mod containerd;
mod crane;
mod daemon;
mod docker;
mod docker_tls;
mod large;
mod layout;
mod layouts;
mod oras;
mod passwords;
mod program;
mod redirect;
mod regctl;
mod skopeo;
mod tls;
mod tokens;
