//! Stored answers: told when every key failed, in the form that was asked for, and never else.

use std::time::Duration;

use keygate_tests::sim::{Action, Fault, GoogleRow};
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{FLASH, House, OPENAI_CHAT, array_path, chat, generate_path, openai_chat, stream_path};

const HOURS: &str = "We are open from 8 to 17, Monday to Friday.";
const QUESTION: &str = "What are your opening hours?";

const ANSWERS: &str = "
- id: hours
  match: [opening hours, when are you open]
  language: en
  reply: We are open from 8 to 17, Monday to Friday.
- id: jam
  match: [opening hours, jam buka]
  language: id
  reply: Kami buka jam 8 sampai 17.
- id: gio
  match: giờ mở cửa
  language: vi
  reply: Chúng tôi mở cửa từ 8 giờ.
";

async fn import(house: &House, name: &str, text: &str) -> String {
    house.gateway.write(name, text);
    let done = house.gateway.beside(&["answers", "import", name]).await;
    assert_eq!(done.status.code(), Some(0), "{}{}", done.stdout, done.stderr);
    done.stdout
}

/// A house in which every key fails, with answers for that.
async fn stuck(changes: Value) -> House {
    let house = House::open(changes).await;
    import(&house, "answers.yaml", ANSWERS).await;
    house.sim.script([Fault::google(GoogleRow::DayRequests).always()]).expect("room");
    house
}

fn is_stored(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-keygate-source"), "stored", "{answer:?}");
    assert_eq!(answer.header("x-keygate-error"), "", "{answer:?}");
    assert_eq!(answer.header("x-keygate-key"), "", "{answer:?}");
    assert!(!answer.header("x-request-id").is_empty(), "{answer:?}");
    assert!(answer.retry_after().is_none(), "{answer:?}");
}

/// The data of server-sent events, whatever ends their lines.
fn data(answer: &Answer) -> Vec<String> {
    let text = answer.text().replace("\r\n", "\n");
    text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn every_surface_gets_its_own_form() {
    let house = stuck(json!({})).await;
    let whole = house.generate(FLASH, QUESTION).await;
    is_stored(&whole);
    assert_eq!(whole.said(), HOURS);
    assert_eq!(whole.json()["candidates"][0]["finishReason"], "STOP");
    let stream = Answer::to(house.stream(QUESTION)).await;
    is_stored(&stream);
    assert_eq!(stream.header("content-type"), "text/event-stream");
    assert_eq!(json_of(&data(&stream)[0])["candidates"][0]["content"]["parts"][0]["text"], HOURS);
    let array = Answer::to(house.post(&array_path(FLASH), &chat(QUESTION))).await;
    is_stored(&array);
    assert_eq!(array.json()[0]["candidates"][0]["content"]["parts"][0]["text"], HOURS);

    let openai = Answer::to(house.openai(QUESTION)).await;
    is_stored(&openai);
    assert_eq!(openai.json()["choices"][0]["message"]["content"], HOURS);
    let streamed = Answer::to(house.post(OPENAI_CHAT, &openai_chat(QUESTION, true))).await;
    is_stored(&streamed);
    let events = data(&streamed);
    assert_eq!(json_of(&events[0])["choices"][0]["delta"]["content"], HOURS);
    assert_eq!(events.last().map(String::as_str), Some("[DONE]"));

    let interaction = json!({"model": FLASH, "input": QUESTION});
    let told = Answer::to(house.post("/v1beta/interactions", &interaction)).await;
    is_stored(&told);
    assert_eq!(told.json()["steps"][0]["content"][0]["text"], HOURS);
    let interaction = json!({"model": FLASH, "input": QUESTION, "stream": true});
    let told = Answer::to(house.post("/v1beta/interactions", &interaction)).await;
    is_stored(&told);
    assert_eq!(json_of(&data(&told)[2])["delta"]["text"], HOURS);
    house.close().await;
}

#[tokio::test]
async fn the_assistant_says_where_it_has_it_from() {
    let house = stuck(json!({})).await;
    let query = "/api/v1/assistant/query";
    let whole = Answer::to(house.post(query, &json!({"message": QUESTION, "model": FLASH}))).await;
    is_stored(&whole);
    let told = whole.json();
    assert_eq!(
        (&told["reply"], &told["source"], &told["model"]),
        (&json!(HOURS), &json!("stored"), &json!(FLASH))
    );
    let stream = Answer::to(house.post(query, &json!({"message": QUESTION, "stream": true}))).await;
    is_stored(&stream);
    let done = json_of(data(&stream).last().expect("an event"));
    assert_eq!((&done["reply"], &done["source"]), (&json!(HOURS), &json!("stored")));
    let batch = json!({"questions": [{"message": QUESTION}, {"message": "sing a song"}]});
    let told = Answer::to(house.post("/api/v1/assistant/batch", &batch)).await.json();
    assert_eq!(told["results"][0]["source"], "stored", "{told}");
    assert_eq!((&told["succeeded"], &told["results"][1]["status"]), (&json!(1), &json!(503)));
    assert_eq!(house.gateway.get_json("/api/answers/status").await["stored_answers"]["used"], 3);
    house.close().await;
}

#[tokio::test]
async fn nothing_stored_is_told_while_a_key_can_serve_or_where_it_would_not_fit() {
    let house = House::open(json!({})).await;
    import(&house, "answers.yaml", ANSWERS).await;
    house.generate(FLASH, QUESTION).await.is_providers("google", 200, 1);
    house.sim.script([Fault::google(GoogleRow::DayRequests).always()]).expect("room");
    let other = house.generate(FLASH, "sing a song about the sea").await;
    other.is_refusal(429, "pool_exhausted");
    for more in [
        json!({"tools": [{"functionDeclarations": [{"name": "f"}]}]}),
        json!({"generationConfig": {"responseMimeType": "application/json"}}),
    ] {
        let mut body = chat(QUESTION);
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        Answer::to(house.post(&generate_path(FLASH), &body)).await.is_refusal(429, "pool_exhausted");
    }
    let embedding = json!({"content": {"parts": [{"text": QUESTION}]}});
    let refused = Answer::to(house.post(&format!("/v1beta/models/{FLASH}:embedContent"), &embedding)).await;
    assert_ne!(refused.status, 200, "{refused:?}");
    house.close().await;
    let off = stuck(json!({"answers": {"enabled": false}})).await;
    off.generate(FLASH, QUESTION).await.is_refusal(429, "pool_exhausted");
    off.close().await;
    let strict = stuck(json!({"answers": {"threshold": 1.0}})).await;
    strict.generate(FLASH, "when open").await.is_refusal(429, "pool_exhausted");
    strict.close().await;
}

#[tokio::test]
async fn whatever_keeps_the_provider_from_answering_a_stored_answer_does_not_mind() {
    for fault in [
        Fault::google(GoogleRow::KeyInvalid),
        Fault::google(GoogleRow::Overloaded),
        Fault::new(Action::Html502),
        Fault::new(Action::Close),
    ] {
        let house = House::open(json!({})).await;
        import(&house, "answers.yaml", ANSWERS).await;
        house.sim.script([fault.always()]).expect("room");
        for path in [generate_path(FLASH), stream_path(FLASH)] {
            is_stored(&Answer::to(house.post(&path, &chat(QUESTION))).await);
        }
        house.close().await;
    }
    let house = House::open(json!({})).await;
    import(&house, "answers.yaml", ANSWERS).await;
    house.sim.script([Fault::new(Action::Hang).always()]).expect("room");
    let began = tokio::time::Instant::now();
    is_stored(
        &Answer::to(house.post(&generate_path(FLASH), &chat(QUESTION)).header("x-server-timeout", "1")).await,
    );
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    house.close().await;
}

#[tokio::test]
async fn the_language_decides_between_answers_that_fit() {
    let house = stuck(json!({})).await;
    let asked = async |question: &str, language: &str| {
        let request = house.post(&generate_path(FLASH), &chat(question)).header("accept-language", language);
        let answer = Answer::to(request).await;
        is_stored(&answer);
        answer.said()
    };
    assert_eq!(asked("opening hours", "id-ID,en;q=0.5").await, "Kami buka jam 8 sampai 17.");
    assert_eq!(asked("opening hours", "vi").await, HOURS);
    // The words of a question say more of its language than the browser does.
    assert_eq!(asked("Mấy giờ mở cửa?", "en").await, "Chúng tôi mở cửa từ 8 giờ.");
    assert_eq!(asked("may gio mo cua", "").await, "Chúng tôi mở cửa từ 8 giờ.");
    house.close().await;
}

#[tokio::test]
async fn a_running_gateway_sees_changes_at_once() {
    let house = stuck(json!({})).await;
    assert_eq!(house.generate(FLASH, QUESTION).await.said(), HOURS);
    let again = import(&house, "answers.yaml", ANSWERS).await;
    assert!(again.contains("0 new, 0 changed; 3 unchanged"), "{again}");
    let csv = "id,match,reply\nhours,opening hours|open,\"From 9 on, always.\"\nany,*,Please call us.\n";
    let changed = import(&house, "answers.csv", csv).await;
    assert!(changed.contains("1 new, 1 changed; 0 unchanged"), "{changed}");
    assert_eq!(house.generate(FLASH, QUESTION).await.said(), "From 9 on, always.");
    assert_eq!(house.generate(FLASH, "sing a song").await.said(), "Please call us.");
    for id in ["any", "hours", "jam"] {
        assert_eq!(house.gateway.beside(&["answers", "remove", id]).await.status.code(), Some(0));
    }
    house.generate(FLASH, QUESTION).await.is_refusal(429, "pool_exhausted");
    house.close().await;
}

#[tokio::test]
async fn an_import_tells_of_each_broken_row_and_takes_the_good_ones() {
    let house = House::open(json!({})).await;
    let text = "
- match: opening hours
  reply: From 8 on.
- match: prices
- match: [a, b]
  reply: x
  langauge: en
- match: prices
  reply: Cheap.
  language: english
- match: opening HOURS
  reply: From 9 on.
";
    house.gateway.write("broken.yaml", text);
    let run = async |args: &[&str]| house.gateway.beside(&[&["answers"], args].concat()).await;
    let tried = run(&["import", "broken.yaml", "--dry-run"]).await;
    assert!(tried.stdout.contains("would import 1: 1 new"), "{}", tried.stdout);
    assert!(run(&["list"]).await.stdout.contains("no stored answers"));
    let done = run(&["import", "broken.yaml"]).await;
    assert_eq!(done.status.code(), Some(64), "{}", done.stdout);
    assert!(done.stdout.contains("imported 1: 1 new, 0 changed; 0 unchanged, 4 broken"), "{}", done.stdout);
    for told in [
        "broken.yaml:4: `reply` is missing",
        "broken.yaml:5: `\"langauge\"` is not known",
        "broken.yaml:8: `language` is no language",
        "broken.yaml:11: is the same answer as in line 2",
    ] {
        assert!(done.stderr.contains(told), "{told:?} is not in {}", done.stderr);
    }
    let listed: Value = json_of(&run(&["list", "--json"]).await.stdout);
    assert_eq!((listed.as_array().map(Vec::len), &listed[0]["reply"]), (Some(1), &json!("From 8 on.")));
    let tested = run(&["test", "what are your hours?", "--json"]).await;
    let tested: Value = json_of(&tested.stdout);
    assert_eq!((&tested["found"][0]["score"], &tested["used"]), (&json!(0.5), &Value::Null), "{tested}");
    let tested = run(&["test", "Opening hours?"]).await.stdout;
    assert!(tested.contains("Used: ") && tested.contains("1.00"), "{tested}");
    assert_eq!(run(&["remove", "nobody"]).await.status.code(), Some(64));
    house.gateway.write("torn.yaml", "- match: a\n  reply: [\n");
    let torn = run(&["import", "torn.yaml"]).await;
    assert_eq!(torn.status.code(), Some(64));
    assert!(torn.stderr.contains("torn.yaml:"), "{}", torn.stderr);
    house.close().await;
}
