//! Every form in which Redis may be given, and what is refused.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;

fn from_url(url: &str) -> Redis {
    Redis { url: Some(Secret::new(url)), ..Redis::default() }
}

fn tcp(host: &str, port: u16) -> Server {
    Server::Tcp { host: host.to_owned(), port }
}

fn addresses(list: &[&str]) -> Vec<String> {
    list.iter().map(|address| (*address).to_owned()).collect()
}

#[test]
fn a_url_names_server_database_user_and_password() {
    let reach = from_url("redis://me:p%40ss%2b@host:7000/3").reach().unwrap();
    assert_eq!((reach.form, reach.servers, reach.tls), (Form::Single, vec![tcp("host", 7000)], None));
    assert_eq!((reach.settings.database, reach.settings.username.as_deref()), (3, Some("me")));
    assert_eq!(reach.settings.password, Some(Secret::new("p@ss+")));
    assert_eq!(from_url("redis://:secret@[::1]").reach().unwrap().servers, [tcp("::1", 6379)]);
}

#[test]
fn a_socket_is_a_path() {
    let reach = from_url("unix://me:p@/run/my%20redis.sock?db=2").reach().unwrap();
    assert_eq!((reach.servers, reach.settings.database), (vec![Server::Unix("/run/my redis.sock".into())], 2));
}

#[test]
fn the_query_knows_the_keys_of_the_section_and_wins() {
    let beside =
        Redis { database: 1, dial_timeout: Some(Duration::from_secs(9)), ..from_url("redis://h?dial_timeout=3&read_timeout=150ms&db=4") };
    let settings = beside.reach().unwrap().settings;
    assert_eq!((settings.database, settings.dial_timeout), (4, Some(Duration::from_secs(3))));
    assert_eq!(settings.read_timeout, Some(Duration::from_millis(150)));
}

#[test]
fn addresses_in_a_url_are_a_cluster() {
    let reach = from_url("redis://a:1?addr=b:2&addr=c").reach().unwrap();
    assert_eq!((reach.form, reach.servers), (Form::Cluster, vec![tcp("a", 1), tcp("b", 2), tcp("c", 6379)]));
}

#[test]
fn several_addresses_are_a_cluster_and_with_a_master_name_sentinels() {
    let several = Redis { addresses: addresses(&["a:1", "[::1]:2"]), ..Redis::default() };
    assert_eq!(several.reach().unwrap().form, Form::Cluster);
    assert_eq!(several.reach().unwrap().servers, [tcp("a", 1), tcp("::1", 2)]);
    let sentinels = Redis { addresses: addresses(&["a", ":2"]), master_name: Some("main".into()), ..Redis::default() };
    let reach = sentinels.reach().unwrap();
    assert_eq!(reach.form, Form::Sentinels { master: "main".into() });
    assert_eq!(reach.servers, [tcp("a", 26379), tcp("localhost", 2)]);
    let url = from_url("rediss://a?addr=b:1&master_name=main&skip_verify=true").reach().unwrap();
    assert_eq!(url.form, Form::Sentinels { master: "main".into() });
    assert_eq!(url.tls, Some(Tls { verify: false, ca_certificates: None }));
}

#[test]
fn faults_are_named_and_show_no_secret() {
    let faults = [
        (Redis::default(), "either `url` or `addr` is needed"),
        (from_url("http://:SECRET@h"), "must begin with `redis://`"),
        (from_url("redis://:SECRET@"), "is not a URL"),
        (from_url("redis://:SECRET@h/main"), "must be the number of a database"),
        (from_url("redis://:SECRET@h?pool_sise=3"), "did you mean `pool_size`?"),
        (from_url("redis://:SECRET@h?read_timeout=soon"), "expected a duration"),
        (from_url("redis://:SECRET@h?protocol=4"), "must be 2 or 3"),
        (from_url("unix:///s?master_name=m"), "has no meaning with a `unix://` URL"),
        (Redis { ca_certificates: Some("/ca".into()), ..from_url("redis://h") }, "`rediss://` URL only"),
        (Redis { addresses: addresses(&["a:b"]), ..Redis::default() }, "expected `host:port`"),
    ];
    for (redis, expected) in faults {
        let text = redis.reach().unwrap_err().iter().map(ToString::to_string).collect::<String>();
        assert!(text.contains(expected) && !text.contains("SECRET"), "{text}");
    }
}

/// What stands in a URL, or in an address, or nearly.
const NEARLY: &str =
    "(redis|rediss|unix|http)?(:/{0,3})?[a-z0-9%@:\\[\\]./é ]{0,20}(\\?(addr|db|master_name|dial_timeout|a)=[a-z0-9%&=:+\\[\\]-]{0,12})?";
const HOST: &str = "[a-z][a-z0-9]{0,5}(\\.[a-z][a-z0-9]{0,5}){0,2}";

proptest! {
    #[test]
    fn any_url_and_any_address_is_read_or_refused(url in prop_oneof![NEARLY, any::<String>()], address in prop_oneof![NEARLY, any::<String>()]) {
        for redis in [from_url(&url), Redis { addresses: vec![address.clone()], ..from_url(&url) }, Redis { addresses: vec![address], ..Redis::default() }] {
            if let Ok(reach) = redis.reach() {
                prop_assert!(!reach.servers.is_empty());
                let hosts = reach.servers.iter().filter_map(|server| if let Server::Tcp { host, .. } = server { Some(host) } else { None });
                for host in hosts {
                    prop_assert!(!host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/@".contains(c)), "{host:?}");
                }
            }
        }
    }

    #[test]
    fn what_a_url_says_is_what_is_read(host in HOST, port in 1..=u16::MAX, database: u32, login in any::<[String; 2]>()) {
        let [user, password] = login.each_ref().map(|text| utf8_percent_encode(text, NON_ALPHANUMERIC));
        let reach = from_url(&format!("redis://{user}:{password}@{host}:{port}/{database}")).reach().unwrap();
        prop_assert_eq!((reach.servers, reach.settings.database), (vec![tcp(&host, port)], database));
        let [user, password] = login.map(|text| Some(text).filter(|text| !text.is_empty()));
        prop_assert_eq!((reach.settings.username, reach.settings.password), (user, password.map(Secret::new)));
    }

    #[test]
    fn addresses_are_read_as_they_are_written(servers in prop::collection::vec((HOST, any::<Option<u16>>()), 1..4), numeric: std::net::Ipv6Addr) {
        let written = |(host, port): &(String, Option<u16>)| port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let mut addresses: Vec<String> = servers.iter().map(written).collect();
        addresses.push(format!("[{numeric}]:7"));
        let expected = servers.iter().map(|(host, port)| tcp(host, port.unwrap_or(6379))).chain([tcp(&numeric.to_string(), 7)]);
        let reach = Redis { addresses, ..Redis::default() }.reach().unwrap();
        prop_assert_eq!(reach.servers, expected.collect::<Vec<_>>());
        prop_assert_eq!(reach.form, Form::Cluster);
    }
}
