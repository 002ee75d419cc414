//! How many requests a second a client may send.

use futures::future::join_all;
use serde_json::json;
use zot_tests::in_both_shapes;

in_both_shapes!(
    a_client_that_sends_too_many_requests_is_told_when_to_come_again,
    |settings| settings.set("/http/ratelimit", json!({"methods": [{"method": "get", "rate": 2}]})),
    |registry| async move {
        let client = registry.client();
        // A cluster without a Redis has two gateways that count apart. All at once: one after the other, they might be slower than they may be.
        let replies = join_all((0..40).map(|_| client.get("/v2/").into_future())).await;
        let (refused, served): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 429);
        served.into_iter().for_each(|reply| drop(reply.expect(200)));
        let refused = refused.into_iter().next().expect("more than twice two requests in a second are refused");
        let refused = refused.expect_error(429, "TOOMANYREQUESTS");
        assert_eq!(refused.header("retry-after"), "1");
        assert_eq!(refused.json()["errors"][0]["detail"]["limit"], "2");
        // Other methods, and whoever watches over the process, are not concerned.
        for _ in 0..10 {
            client.head("/v2/").await.expect(200);
            client.get("/livez").await.expect(200);
        }
    }
);

in_both_shapes!(
    clients_behind_a_trusted_proxy_are_told_apart,
    |settings| settings.set("/http/ratelimit/rate", 3).set("/http/trustedProxies", "127.0.0.0/8"),
    |registry| async move {
        let client = registry.client();
        for host in 1..=20 {
            client.get("/v2/").header("x-forwarded-for", &format!("6.6.6.6, 203.0.113.{host}")).await.expect(200);
        }
        let asking =
            (1..=40).map(|host| client.get("/v2/").header("x-forwarded-for", &format!("6.6.6.{host}, 203.0.113.99")).into_future());
        let statuses: Vec<u16> = join_all(asking).await.iter().map(|reply| reply.status.as_u16()).collect();
        assert!(statuses.contains(&429), "what a client says of itself makes it no other client: {statuses:?}");
    }
);
