//! The base of the API: what a client asks first.

use zot_tests::Sandbox;

#[tokio::test]
async fn the_base_of_the_api_says_that_this_is_a_registry() {
    let sandbox = Sandbox::start().await;
    let reply = sandbox.client().get("/v2/").await.expect(200);
    assert_eq!(reply.header("docker-distribution-api-version"), "registry/2.0");
}
