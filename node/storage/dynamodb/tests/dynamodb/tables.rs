//! Tables that are created, found, refused and emptied.

use std::time::Duration;

use tokio::{io::AsyncReadExt, net::TcpListener};
use zot_config::storage::DynamoDb as Config;
use zot_dynamodb::{DynamoMetadata, Operation, Options};
use zot_oci::Digest;
use zot_storage::metadata::{Expect, Key, Metadata, Scan};

use crate::{open, options, proxy, put, server, tables, tag, told};

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_create_the_tables_together() {
    let Some(server) = server("tables::processes_that_start_at_once_create_the_tables_together").await else { return };
    let config = tables(&server.endpoint());
    let stores = futures::future::join_all((0..4).map(|_| open(&config))).await;
    put(&stores[0], tag("a", "v1"), Expect::Absent, "x").await.unwrap();
    assert!(stores[3].get(&tag("a", "v1")).await.unwrap().is_some());
    let again = open(&config).await;
    assert_eq!((again.calls().of(Operation::DescribeTable), again.calls().of(Operation::UpdateItem)), (6, 0));
    again.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_something_else_is_refused_at_the_start() {
    let Some(server) = server("tables::a_table_of_something_else_is_refused_at_the_start").await else { return };
    let config = tables(&server.endpoint());
    let name = config.cache_table.clone().unwrap();
    let keys = r#""KeySchema": [{"AttributeName": "Digest", "KeyType": "HASH"}]"#;
    let attributes = r#""AttributeDefinitions": [{"AttributeName": "Digest", "AttributeType": "S"}]"#;
    let table = format!(r#"{{"TableName": "{name}", {keys}, {attributes}, "BillingMode": "PAY_PER_REQUEST"}}"#);
    proxy::ask(&server.endpoint(), "CreateTable", &table).await;
    let error = told(&DynamoMetadata::open(&config, options()).await.unwrap_err());
    let said = format!("use table `{name}` of DynamoDB: it has the keys Digest (S, HASH), not Partition (S, HASH), Sort (S, RANGE)");
    assert!(error.starts_with(&said) && error.contains("choose another name in `cacheDriver`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_look_at_tables_may_still_use_them() {
    let Some(server) = server("tables::whoever_may_not_look_at_tables_may_still_use_them").await else { return };
    let denied = vec![proxy::Fault::Refuse(400, "AccessDeniedException"); 100];
    let proxy = proxy::Proxy::start(&server.endpoint(), "DescribeTable", denied).await;
    let config = tables(&proxy.endpoint());
    let store = open(&config).await;
    put(&store, tag("a", "v1"), Expect::Absent, "x").await.unwrap();
    let again = open(&config).await;
    assert!(again.get(&tag("a", "v1")).await.unwrap().is_some());
    assert_eq!((store.calls().of(Operation::CreateTable), again.calls().of(Operation::CreateTable)), (6, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_missing_are_told_before_anything_is_created() {
    let config = Config { version_table: None, repository_table: None, ..tables("http://127.0.0.1:1") };
    let error = told(&DynamoMetadata::open(&config, options()).await.unwrap_err());
    assert!(error.ends_with("names no table for: repoMetaTablename, versionTablename"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_names_than_before_are_refused() {
    let Some(server) = server("tables::other_names_than_before_are_refused").await else { return };
    let config = tables(&server.endpoint());
    open(&config).await;
    let renamed = Config { repository_blobs_table: config.repository_table.clone(), ..config.clone() };
    let error = told(&DynamoMetadata::open(&renamed, options()).await.unwrap_err());
    assert!(error.contains("its rows are in other tables: ") && error.contains("`versionTablename`"), "{error}");
    open(&config).await.erase().await.unwrap();
    open(&renamed).await;
}

/// Set for the one test that must not find anything in its environment.
const ALONE: &str = "DYNAMODB_TEST_ALONE";

#[test]
fn a_start_without_region_or_credentials_says_what_is_missing() {
    if std::env::var_os(ALONE).is_none() {
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        alone.args(["--exact", "tables::a_start_without_region_or_credentials_says_what_is_missing", "--nocapture"]);
        let ended = alone.env_clear().env(ALONE, "1").env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let open = |config, options| told(&runtime.block_on(DynamoMetadata::open(&config, options)).unwrap_err());
    let config = tables("http://127.0.0.1:1");
    let error = open(Config { region: None, ..config.clone() }, options());
    assert_eq!(error, "connect to DynamoDB: no region is known: set `region`, or the environment's AWS_REGION");
    let error = open(config, Options::default());
    assert!(error.starts_with("find AWS credentials for DynamoDB: "), "{error}");
    println!("{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_of_https_is_spoken_to_in_tls() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    let heard = tokio::spawn(async move { listener.accept().await.unwrap().0.read_u8().await.unwrap() });
    let once = Options { call_timeout: Duration::ZERO, ..options() };
    let error = told(&DynamoMetadata::open(&tables(&endpoint), once).await.unwrap_err());
    assert!(error.starts_with("metadata is not available: DynamoDB did not answer: "), "{error}");
    // The first byte of a handshake. (RFC 8446, 5.1.)
    assert_eq!(heard.await.unwrap(), 22);
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_leaves_users_alone() {
    let Some(server) = server("tables::erasing_leaves_users_alone").await else { return };
    let store = open(&tables(&server.endpoint())).await;
    let mut keys: Vec<Key> = (0..50).map(|number| tag("a", &format!("t{number}"))).collect();
    keys.extend((0..50u8).map(|number| Key::Link("a".parse().unwrap(), Digest::sha256(&[number]))));
    keys.push(Key::Schema);
    let user = Key::User("alice".parse().unwrap());
    put(&store, user.clone(), Expect::Absent, "x").await.unwrap();
    for key in &keys {
        put(&store, key.clone(), Expect::Absent, "x").await.unwrap();
    }
    // The row of the schema went first and is not counted; the names of the tables are.
    assert_eq!(store.erase().await.unwrap(), 101);
    assert!(store.get_many(&keys).await.unwrap().iter().all(Option::is_none));
    // What is known of users cannot be read anew from anywhere.
    assert!(store.get(&user).await.unwrap().is_some());
    assert_eq!(store.scan(&Scan::Tags("a".parse().unwrap(), None), 10).await.unwrap(), []);
    put(&store, tag("a", "v1"), Expect::Absent, "x").await.unwrap();
}
