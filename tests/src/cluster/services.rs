//! What the nodes of a cluster share: S3 for bytes, DynamoDB for rows, Redis for what may be lost.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, OnceCell};
use zot_services::{
    DynamoDb, Redis, S3,
    s3::{ACCESS_KEY, REGION, SECRET_KEY},
};

/// The bucket of all clusters.
const BUCKET: &str = "clusters";

/// Running servers. Each can be stopped and continued while others use it.
pub struct Services {
    /// The S3 server.
    pub s3: Mutex<S3>,
    /// The DynamoDB server.
    pub dynamodb: Mutex<DynamoDb>,
    /// The Redis server.
    pub redis: Mutex<Redis>,
    endpoints: Endpoints,
}

/// Where the servers are reached; a proxy that breaks things may stand in between.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// URL of the S3 server.
    pub s3: String,
    /// URL of the DynamoDB server.
    pub dynamodb: String,
    /// URL of the Redis server.
    pub redis: String,
}

static SHARED: OnceCell<Arc<Services>> = OnceCell::const_new();
static TRIED: AtomicBool = AtomicBool::new(false);
static CLUSTERS: AtomicUsize = AtomicUsize::new(0);

impl Services {
    /// Whether all of them can be started here; otherwise why not.
    pub fn available() -> Result<(), String> {
        S3::available().and_then(|()| DynamoDb::available()).and_then(|()| Redis::available())
    }

    /// Servers of one's own.
    pub async fn start() -> Arc<Self> {
        let (s3, dynamodb, redis) = tokio::join!(S3::start(), DynamoDb::start_in_memory(), Redis::start());
        s3.create_bucket(BUCKET);
        let endpoints = Endpoints { s3: s3.endpoint(), dynamodb: dynamodb.endpoint(), redis: redis.url() };
        Arc::new(Self { s3: Mutex::new(s3), dynamodb: Mutex::new(dynamodb), redis: Mutex::new(redis), endpoints })
    }

    /// The servers that all tests of this binary share; started by the first that asks.
    pub async fn shared() -> Arc<Self> {
        let start = async || {
            // Every test would otherwise wait as long as the first.
            assert!(!TRIED.swap(true, Ordering::Relaxed), "the shared servers could not be started: see the test that tried");
            Self::start().await
        };
        SHARED.get_or_init(start).await.clone()
    }

    /// Where they are reached.
    pub fn endpoints(&self) -> Endpoints {
        self.endpoints.clone()
    }
}

impl Endpoints {
    /// The `storageDriver` of a store in S3 that is nobody else's, for a process that is everything.
    pub fn storage_driver(&self) -> Value {
        self.storage_driver_at(&unique())
    }

    fn storage_driver_at(&self, root: &str) -> Value {
        json!({
            "name": "s3", "bucket": BUCKET, "region": REGION, "regionendpoint": self.s3, "accesskey": ACCESS_KEY,
            "secretkey": SECRET_KEY, "forcepathstyle": true, "secure": false, "rootdirectory": format!("/{root}"),
        })
    }

    /// The keys of the `storage` of a process that is everything, in S3 and DynamoDB, in a place that is nobody else's.
    pub(crate) fn storage(&self) -> Map<String, Value> {
        self.place()["storage"].as_object().expect("a section").clone()
    }

    /// Has configurations that are for services elsewhere use these: all of them the same place, which is nobody else's.
    pub fn lend(&self, configs: &mut [Value]) {
        let name = unique();
        for config in configs {
            if let Some(driver) = config["storage"].get_mut("storageDriver") {
                let ours = json!({"bucket": BUCKET, "regionendpoint": self.s3, "rootdirectory": format!("/{name}"), "forcepathstyle": true, "secure": false});
                replace(driver, ours);
            }
            if let Some(driver) = config["storage"].get_mut("cacheDriver") {
                replace(driver, json!({"endpoint": self.dynamodb}));
                for (_, table) in driver.as_object_mut().expect("a section").iter_mut().filter(|(key, _)| key.ends_with("Tablename")) {
                    *table = format!("{name}-{}", table.as_str().expect("a name")).into();
                }
            }
            for at in ["/cluster/redis", "/http/auth/sessionDriver"] {
                if let Some(redis) = config.pointer_mut(at) {
                    replace(redis, json!({"url": self.redis, "keyprefix": name}));
                }
            }
        }
    }

    /// The part of a configuration that keeps a cluster's content here, apart from that of every other cluster.
    pub(super) fn place(&self) -> Value {
        let name = unique();
        json!({"storage": self.store_at(&name), "cluster": {"redis": {"url": self.redis, "keyprefix": name}}})
    }

    /// A store for all nodes of a cluster that is nobody else's.
    pub fn store(&self) -> Value {
        self.store_at(&unique())
    }

    fn store_at(&self, name: &str) -> Value {
        let table = |of: &str| format!("{name}-{of}");
        json!({
            "storageDriver": self.storage_driver_at(name),
            "cacheDriver": {
                "name": "dynamodb", "endpoint": self.dynamodb, "region": REGION,
                "cacheTablename": table("blobs"), "repoMetaTablename": table("repositories"), "imageMetaTablename": table("manifests"),
                "repoBlobsInfoTablename": table("links"), "userDataTablename": table("users"), "apiKeyTablename": table("keys"),
                "versionTablename": table("version"),
            },
            "remoteCache": true,
        })
    }
}

/// Sets these members of a section.
fn replace(section: &mut Value, members: Value) {
    let Value::Object(members) = members else { panic!("no section: {members}") };
    section.as_object_mut().expect("a section").extend(members);
}

/// A name that nothing else in these servers has.
fn unique() -> String {
    format!("c{}", CLUSTERS.fetch_add(1, Ordering::Relaxed))
}

/// What the AWS libraries of the nodes look for.
pub(crate) fn credentials() -> Vec<(String, String)> {
    let variables = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY), ("AWS_REGION", REGION)];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}
