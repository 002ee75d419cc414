//! How users get what they prove with who they are: a file for each resource.

pub(super) mod api_keys;
