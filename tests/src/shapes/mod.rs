//! Tests that run against both shapes of the registry: the process that is everything, and a cluster behind a round-robin front.

mod registry;
mod standing;

use serde_json::Value;
use zot_services::skip::skip;

use crate::cluster::Services;

pub use self::registry::Registry;

/// Two tests of one body, which gets a [`Registry`]: one in each shape.
///
/// All tests share one standing cluster, in which each has repositories of its own. A test that needs settings, or a cluster that nobody else
/// uses, gives a closure that makes [`Settings`] of the default ones; its cluster has disks instead of S3 unless they say otherwise.
#[macro_export]
macro_rules! in_both_shapes {
    ($name:ident, $test:expr $(,)?) => {
        $crate::in_both_shapes!(@ $name, None, $test);
    };
    ($name:ident, $settings:expr, $test:expr $(,)?) => {
        $crate::in_both_shapes!(@ $name, Some($crate::shapes::Settings::of($settings)), $test);
    };
    (@ $name:ident, $settings:expr, $test:expr) => {
        async fn $name(shape: $crate::shapes::Shape) {
            shape.run(concat!(module_path!(), "::", stringify!($name), "::cluster"), $settings, $test).await;
        }

        $crate::in_each_shape!($name, $name);
    };
}

/// Two tests of one function, which gets a [`Shape`]: one for each.
#[macro_export]
macro_rules! in_each_shape {
    ($name:ident, $test:ident) => {
        mod $name {
            use $crate::shapes::Shape;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn all_in_one() {
                super::$test(Shape::AllInOne).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn cluster() {
                super::$test(Shape::Cluster).await;
            }
        }
    };
}

/// How a registry is made of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One process is everything.
    AllInOne,
    /// Gateways and storage nodes behind a round-robin front.
    Cluster,
}

impl Shape {
    /// A registry of this shape that nobody else uses.
    pub async fn start(self, settings: Settings) -> Registry {
        match self {
            Self::AllInOne => Registry::all_in_one(settings).await,
            Self::Cluster => Registry::own_cluster(settings).await,
        }
    }

    /// Runs `test` against a registry of this shape, unless it cannot be had here; then says that `name` is skipped.
    pub async fn run<T: Future<Output = ()>>(self, name: &str, settings: Option<Settings>, test: impl FnOnce(Registry) -> T) {
        let needs_services = self == Self::Cluster && settings.as_ref().is_none_or(|settings| settings.is_shared);
        if let (true, Err(reason)) = (needs_services, Services::available()) {
            return skip(name, &reason);
        }
        let registry = match (self, settings) {
            (Self::AllInOne, settings) => Registry::all_in_one(settings.unwrap_or_default()).await,
            (Self::Cluster, Some(settings)) => Registry::own_cluster(settings).await,
            (Self::Cluster, None) => Registry::in_standing_cluster().await,
        };
        test(registry).await;
    }
}

/// What a test wants to be different from the defaults, in either shape.
#[derive(Debug, Default)]
pub struct Settings {
    changes: Vec<(String, Value)>,
    is_shared: bool,
    sub_paths: Vec<String>,
}

impl Settings {
    /// What `change` makes of the defaults.
    pub fn of(change: impl FnOnce(Self) -> Self) -> Self {
        change(Self::default())
    }

    /// Sets the setting at a path like `/http/limits/drainTimeout`.
    #[must_use]
    pub fn set(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.changes.push((path.to_owned(), value.into()));
        self
    }

    /// Has a cluster keep everything in S3, DynamoDB and Redis. One process that is everything has its disk all the same.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.is_shared = true;
        self
    }

    /// Keeps the repositories below a path like `/infra` in a store of their own: another directory, or another part of the bucket and other tables.
    #[must_use]
    pub fn sub_path(mut self, path: &str) -> Self {
        self.sub_paths.push(path.to_owned());
        self.shared()
    }
}

/// Where the setting of a store below `path` is.
fn setting_of(path: &str) -> String {
    format!("/storage/subPaths/{}", path.replace('/', "~1"))
}
