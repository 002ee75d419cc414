//! How clients come by what proves who they are, one way a file.

pub(super) mod api_keys;
pub(super) mod token;
