//! How clients come by what proves who they are, one way a file.

pub(super) mod token;
