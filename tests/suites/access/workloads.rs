//! Jobs and machines that have an identity at an OpenID provider: its tokens open what the policy gives whom they name.

use serde_json::json;
use zot_services::{
    OpenIdProvider,
    oidc::{CLIENT_ID, CLIENT_SECRET},
};
use zot_tests::{
    Client, Image, Registry,
    client::Call,
    shapes::{Settings, Shape},
    skip::skip,
};

const AUDIENCE: &str = "https://registry.example.com";

/// Runs a test in both shapes: what is the provider's clients' is `machines`', and everything else is nobody's.
async fn in_each(name: &str, test: impl AsyncFn(&Registry, &mut OpenIdProvider)) {
    if let Err(reason) = OpenIdProvider::available() {
        return skip(name, &reason);
    }
    for shape in [Shape::AllInOne, Shape::Cluster] {
        let mut provider = OpenIdProvider::start("http://registry.test/unused").await;
        let bearer = json!({
            "realm": "http://registry.test/zot/auth/token",
            "service": "registry.test",
            "oidc": [{
                "issuer": provider.issuer(),
                "audiences": [AUDIENCE],
                "claimMapping": {
                    "validations": [{"expression": "claims.client_id != ''", "message": "it is no machine's"}],
                    "username": "'machine:' + claims.client_id",
                    "groups": "['machines']",
                },
            }],
        });
        let rules = json!({"repositories": {
            "team/**": {"policies": [{"groups": ["machines"], "actions": ["read", "create"]}]},
            "named/**": {"policies": [{"users": [format!("machine:{CLIENT_ID}")], "actions": ["read"]}]},
            "**": {},
        }});
        let settings = Settings::default().set("/http/auth/bearer", bearer).set("/http/accessControl", rules);
        test(&shape.start(settings).await, &mut provider).await;
    }
}

/// A token of the provider for whoever calls itself `audience`.
async fn token(provider: &OpenIdProvider, audience: &str) -> String {
    let client = Client::new(&provider.issuer());
    let body = format!("grant_type=client_credentials&scope=push&resource={}", audience.replace(':', "%3A").replace('/', "%2F"));
    let asked =
        client.post("/token").basic(CLIENT_ID, CLIENT_SECRET).header("content-type", "application/x-www-form-urlencoded").body(body);
    asked.await.expect(200).json()["access_token"].as_str().unwrap().to_owned()
}

fn with<'c>(token: &str, call: Call<'c>) -> Call<'c> {
    call.header("authorization", &format!("Bearer {token}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_pushes_and_pulls_with_its_identity() {
    in_each("access::workloads::a_machine_pushes_and_pulls_with_its_identity", async |registry, provider| {
        let (client, token) = (registry.client(), token(provider, AUDIENCE).await);
        let image = Image::small(1);
        for blob in image.blobs() {
            let upload = with(&token, client.post("/v2/team/app/blobs/uploads/")).await.expect(202).location();
            with(&token, client.finish_upload(&upload, &zot_tests::digest_of(blob), blob)).await.expect(201);
        }
        with(&token, client.put_manifest("team/app", "v1", &image.manifest)).await.expect(201);
        for gateway in registry.gateways() {
            with(&token, gateway.get_manifest("team/app", "v1")).await.expect(200);
            with(&token, gateway.get_manifest("named/app", "v1")).await.expect_error(404, "NAME_UNKNOWN");
            with(&token, gateway.delete("/v2/team/app/manifests/v1")).await.expect_error(403, "DENIED");
            with(&token, gateway.get_manifest("other/app", "v1")).await.expect_error(403, "DENIED");
            with(&token, gateway.get("/zot/auth/apikey")).await.expect(404);
            let challenged = gateway.get_manifest("team/app", "v1").await.expect_error(401, "UNAUTHORIZED");
            assert!(challenged.header("www-authenticate").contains(r#"realm="http://registry.test/zot/auth/token""#), "{challenged:?}");
            // Clients that know passwords only get their token back from the registry itself.
            let exchanged = gateway.get("/zot/auth/token?service=registry.test").basic("machine", &token).await.expect(200);
            assert_eq!(exchanged.json()["token"], token.as_str());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_for_somebody_else_or_with_other_claims_is_nobodys() {
    in_each("access::workloads::a_token_for_somebody_else_or_with_other_claims_is_nobodys", async |registry, provider| {
        let (mine, elsewhere) = (token(provider, AUDIENCE).await, token(provider, "https://elsewhere.example.com").await);
        let (signed, signature) = mine.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let claims = elsewhere.split('.').nth(1).unwrap();
        for gateway in registry.gateways() {
            for wrong in [elsewhere.clone(), format!("{header}.{claims}.{signature}"), format!("{signed}."), signed.to_owned()] {
                with(&wrong, gateway.get_manifest("team/app", "v1")).await.expect_error(401, "UNAUTHORIZED");
                gateway.get("/zot/auth/token?service=registry.test").basic("machine", &wrong).await.expect(401);
            }
            with(&mine, gateway.get_manifest("team/app", "v1")).await.expect_error(404, "NAME_UNKNOWN");
        }
        // What the provider's keys are is known by now: it may go away.
        provider.kill();
        for gateway in registry.gateways() {
            with(&mine, gateway.get_manifest("team/app", "v1")).await.expect_error(404, "NAME_UNKNOWN");
        }
    })
    .await;
}
