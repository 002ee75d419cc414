//! `http.auth.sessionDriver`: where sessions are kept.

use serde_json::{Map, Value};

use crate::redis::Redis;
use crate::setting::section::{Keys, Section};
use crate::setting::{Found, Setting};

/// Where sessions are kept.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionDriver {
    /// Beside the content, on local storage.
    Local,
    /// In Redis, for all processes of a cluster.
    Redis(Box<Redis>),
}

impl Setting for SessionDriver {
    fn read(found: &Found<'_>) -> Option<Self> {
        let mut section = Section::open(found)?;
        let name: String = section.take(&["name"], String::new());
        let refuse = |message: String| {
            found.report.unreadable(&found.path.key("name"), format!("invalid server config: {message}"));
            None
        };
        let driver = match name.as_str() {
            "local" => Self::Local,
            "redis" => Self::Redis(Box::new(Redis::take(&mut section, Redis::default()))),
            "" => return refuse("must provide session driver name!".to_owned()),
            other => return refuse(format!("session store driver {other} is not allowed!")),
        };
        section.finish_leniently();
        Some(driver)
    }

    fn show(&self) -> Value {
        let mut shown = Map::new();
        match self {
            Self::Local => {
                shown.insert("name".to_owned(), Value::from("local"));
            }
            Self::Redis(redis) => {
                shown.insert("name".to_owned(), Value::from("redis"));
                redis.show_into(&mut shown);
            }
        }
        Value::Object(shown)
    }
}
