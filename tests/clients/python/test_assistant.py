"""The assistant and its document, as a backend without any SDK uses them."""

import json
import urllib.request

from house import PATIENCE, answer_row, call


def ask(door, question, path="query", **headers):
    headers = {"authorization": f"Bearer {door.google_key}", **headers}
    return call("POST", f"{door.google}/api/v1/assistant/{path}", question, headers)


def test_answers_a_question(keygate):
    status, headers, answer = ask(keygate, {"message": "Say hello", "user_id": 17})
    assert status == 200, answer
    assert answer["reply"] == "You said: Say hello"
    assert answer["request_id"] == headers["x-request-id"]


def test_streams_an_answer(keygate):
    request = urllib.request.Request(
        f"{keygate.google}/api/v1/assistant/query",
        json.dumps({"message": "stream 5", "stream": True}).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {keygate.google_key}"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE) as answer:
        events = [line for line in answer.read().decode().split("\n") if line.startswith("event: ")]
    assert events == ["event: delta"] * 5 + ["event: done"]


def test_answers_a_batch_in_order(keygate):
    questions = [{"message": f"question {number}"} for number in range(8)]
    status, _, answer = ask(keygate, {"questions": questions}, "batch")
    assert status == 200, answer
    assert [result["reply"] for result in answer["results"]] == [f"You said: question {n}" for n in range(8)]


def test_an_exhausted_pool_has_friendly_words_in_the_users_language(keygate):
    keygate.sim.script({"provider": "google", "action": answer_row("day_requests"), "times": None})
    status, headers, answer = ask(keygate, {"message": "Say hello"}, **{"accept-language": "vi"})
    assert status == 503 and headers["retry-after"]
    assert answer["detail"] == "All Gemini API keys failed. Last error: Quota exhausted"
    assert answer["message"].startswith("Hiện tôi")
