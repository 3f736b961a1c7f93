//! Names that clients choose for what they make: there is one of each, whatever the number of projects.

use keygate_tests::simulator;
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{House, client};

const TOKENS: (&str, &str) = ("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second");

#[tokio::test]
async fn a_name_that_another_client_has_is_taken_and_said_to_be() {
    let agent = json!({"id": "helper", "base_agent": "x"});
    let tuned = json!({"name": "tunedModels/mine"});
    let cases: [(&str, &Value, &str); 3] = [
        ("/v1beta/agents", &agent, "agents/helper"),
        ("/v1beta/tunedModels?tunedModelId=mine", &json!({}), "tunedModels/mine"),
        ("/v1beta/tunedModels", &tuned, "tunedModels/mine"),
    ];
    for (path, body, name) in cases {
        let house = House::before(simulator(), json!({"clients": {"auth": "required"}}), &[TOKENS]).await;
        let create = |token: &str| Answer::to(house.post(path, body).header("x-goog-api-key", token));
        create("kg_first").await.is_providers("google", 200, 1);
        let before = house.upstream_requests();
        // Round and round, so that another project is met for sure.
        for _ in 0..3 {
            let taken = create("kg_second").await;
            taken.is_refusal(409, "affinity_conflict");
            taken.says_native("FAILED_PRECONDITION", name);
            taken.says_native("FAILED_PRECONDITION", "taken");
        }
        assert_eq!(house.upstream_requests(), before, "nobody was asked");
        for _ in 0..3 {
            // Its own maker is told by the project that has it.
            let again = create("kg_first").await;
            again.is_providers("google", 409, 1);
        }
        let read =
            |token: &str| Answer::to(house.get(&format!("/v1beta/{name}")).header("x-goog-api-key", token));
        read("kg_first").await.is_providers("google", 200, 1);
        read("kg_second").await.is_refusal(403, "forbidden");

        let delete = client().delete(house.gateway.url(&format!("/v1beta/{name}")));
        Answer::to(delete.header("x-goog-api-key", "kg_first")).await.is_providers("google", 200, 1);
        create("kg_second").await.is_providers("google", 200, 1);
        read("kg_second").await.is_providers("google", 200, 1);
        house.google().await.blames_nobody();
        house.close().await;
    }
}
