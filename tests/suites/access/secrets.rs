//! Keys of tokens in a secret of AWS: read at the start, read again, and kept while AWS is out of reach.

use serde_json::{Value, json};
use zot_services::{
    secrets_manager::{REGION, SecretsManager},
    token_service::{TokenService, WRITER},
};
use zot_tests::{Client, Sandbox, skip::skip, wait};

const SECRET: &str = "registry/keys";
const PATH: &str = "/v2/team/app/tags/list";

/// What of a configuration takes tokens of a service whose keys are in the secret.
fn bearer(service: &TokenService) -> Value {
    let mut section = service.section();
    section.as_object_mut().unwrap().remove("cert");
    section["awsSecretsManager"] = json!({"region": REGION, "secretName": SECRET, "refreshInterval": "1s"});
    section
}

/// A secret as zot's are: names of keys, and their certificates.
fn secret(service: &TokenService) -> String {
    json!({"a name": std::fs::read_to_string(service.certificate()).unwrap()}).to_string()
}

/// A token for the repository.
async fn token(service: &TokenService) -> String {
    let section = service.section();
    let url = section["realm"].as_str().unwrap();
    let name = section["service"].as_str().unwrap().replace(' ', "%20");
    let (base, path) = url.split_at(url.rfind('/').unwrap());
    let (client, path) = (Client::new(base), format!("{path}?service={name}&scope=repository:team/app:pull"));
    client.get(&path).basic(WRITER.0, WRITER.1).await.expect(200).json()["token"].as_str().unwrap().to_owned()
}

/// Whether a token opens what it is for; if not, the client is told that it is no good.
async fn opens(client: &Client, token: &str) -> bool {
    let reply = client.get(PATH).header("authorization", &format!("Bearer {token}")).await;
    if reply.status == 404 {
        return true;
    }
    let challenge = reply.expect(401).header("www-authenticate").to_owned();
    assert!(challenge.ends_with(r#",scope="repository:team/app:pull",error="invalid_token""#), "{challenge}");
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_come_from_a_secret_and_follow_it() {
    if let Err(reason) = SecretsManager::available() {
        return skip("access::secrets::keys_come_from_a_secret_and_follow_it", &reason);
    }
    let mut manager = SecretsManager::start().await;
    let [one, next] = [(); 2].map(|()| TokenService::start());
    manager.create(SECRET, &secret(&one));
    let with_keys = |manager: &SecretsManager| {
        let builder = Sandbox::builder().set("/http/auth/bearer", bearer(&one));
        manager.environment().iter().fold(builder, |builder, (name, value)| builder.environment(name, value))
    };
    let sandbox = with_keys(&manager).start().await;
    let client = sandbox.client();
    let (tokens, of_next) = (token(&one).await, token(&next).await);
    assert!(opens(&client, &tokens).await && !opens(&client, &of_next).await);
    let elsewhere = client.get("/v2/team/other/tags/list").header("authorization", &format!("Bearer {tokens}")).await.expect(401);
    let challenge = elsewhere.header("www-authenticate");
    assert!(challenge.ends_with(r#",scope="repository:team/other:pull",error="insufficient_scope""#), "{challenge}");

    manager.replace(SECRET, "no keys");
    let kept = async || sandbox.logs().text().contains("keys that tokens are checked with stay as they were");
    wait::until("what is no key was refused", kept).await;
    assert!(opens(&client, &tokens).await);
    manager.replace(SECRET, &secret(&next));
    wait::until("the next keys count", async || opens(&client, &of_next).await).await;
    assert!(!opens(&client, &tokens).await, "those before count no more");

    manager.kill();
    wait::until("it cannot be read", async || sandbox.logs().text().contains("read the secret `registry/keys`")).await;
    assert!(opens(&client, &of_next).await, "the last keys count on");
    let mut without = with_keys(&manager).prepare();
    without.tolerate_errors("awsSecretsManager");
    without.spawn();
    assert!(!without.ended().await.success());
    let logs = without.logs();
    assert!(logs.text().contains("open http.auth.bearer.awsSecretsManager: read the secret `registry/keys`"), "{}", logs.text());
}
