//! How DynamoDB is called: with whose credentials, and for how long.

use std::time::Duration;

use aws_sdk_dynamodb::config::Credentials;

/// How DynamoDB is called.
#[derive(Debug, Clone)]
pub struct Options {
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for the answer to one attempt of a call.
    pub attempt_timeout: Duration,
    /// How long a call is tried again; an attempt that has begun by then still has its own time.
    pub call_timeout: Duration,
    /// Longest wait until a table that was created can be used.
    pub table_timeout: Duration,
    /// What calls are signed with, instead of what AWS's default chain finds: environment, profile, web identity, container, instance.
    pub keys: Option<Keys>,
}

/// What calls are signed with. The secret is not shown.
#[derive(Debug, Clone)]
pub struct Keys(pub(crate) Credentials);

impl Keys {
    /// The keys of that id.
    pub fn new(id: &str, secret: &str) -> Self {
        Self(Credentials::new(id, secret, None, None, "options"))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            attempt_timeout: Duration::from_secs(3),
            call_timeout: Duration::from_secs(10),
            table_timeout: Duration::from_secs(120),
            keys: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", Options { keys: Some(Keys::new("id", "a-secret")), ..Options::default() });
        assert!(!shown.contains("a-secret"), "{shown}");
    }
}
