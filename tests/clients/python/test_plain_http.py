"""What a backend without an SDK (PHP, curl) does: plain HTTP, the credential wherever it likes."""

import json
import urllib.request

import pytest

from house import PATIENCE, answer_row, call

MODEL = "gemini-3.8-flash"
BODY = {"contents": [{"role": "user", "parts": [{"text": "Say hello"}]}]}


def url(door, action="generateContent", query=""):
    return f"{door.google}/v1beta/models/{MODEL}:{action}{query}"


def test_the_key_as_a_header(door):
    status, _, answer = call("POST", url(door), BODY, {"x-goog-api-key": door.google_key})
    assert status == 200
    assert answer["candidates"][0]["content"]["parts"][0]["text"]


def test_the_key_in_the_query(door):
    status, _, answer = call("POST", url(door, query=f"?key={door.google_key}"), BODY)
    assert status == 200, answer


def test_a_bearer_token_through_keygate(keygate):
    status, _, answer = call("POST", url(keygate), BODY, {"authorization": f"Bearer {keygate.google_key}"})
    assert status == 200, answer


def test_a_percent_encoded_colon(door):
    encoded = f"{door.google}/v1beta/models/{MODEL}%3AgenerateContent"
    status, _, answer = call("POST", encoded, BODY, {"x-goog-api-key": door.google_key})
    assert status == 200, answer


def test_a_stream_without_alt_is_one_json_array(door):
    status, _, answer = call("POST", url(door, "streamGenerateContent"), BODY, {"x-goog-api-key": door.google_key})
    assert status == 200
    assert isinstance(answer, list) and len(answer) > 1


def test_a_stream_is_relayed_byte_for_byte(sim, keygate):
    def raw(base, key):
        request = urllib.request.Request(
            f"{base}/v1beta/models/{MODEL}:streamGenerateContent?alt=sse",
            json.dumps(BODY).encode(),
            {"x-goog-api-key": key, "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.headers["content-type"], answer.read()

    direct = raw(sim.google, "sim-google-alpha-1")
    relayed = raw(keygate.google, keygate.google_key)
    assert relayed[0] == direct[0]
    assert relayed[1].count(b"\r\n\r\n") == direct[1].count(b"\r\n\r\n") > 1
    assert relayed[1].endswith(b"\r\n\r\n")


def test_a_compatible_stream_has_no_usage_nobody_asked_for(door):
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "Say hello"}]}
    status, headers, text = call(
        "POST", f"{door.openai}chat/completions", body, {"authorization": f"Bearer {door.google_key}"}
    )
    assert status == 200 and headers["content-type"] == "text/event-stream"
    assert '"usage"' not in text
    assert text.endswith("data: [DONE]\n\n")


def test_an_interaction_with_the_key_in_the_query(door):
    path = f"{door.google}/v1beta/interactions?key={door.google_key}"
    status, _, answer = call("POST", path, {"model": MODEL, "input": "Say hello"})
    assert (status, answer["status"]) == (200, "completed"), answer
    path = f"{door.google}/v1beta/interactions/{answer['id']}?key={door.google_key}"
    assert call("GET", path)[2]["id"] == answer["id"]


def test_answers_say_which_way_they_took(keygate):
    keygate.sim.script({"provider": "google", "action": answer_row("key_invalid")})
    status, headers, _ = call("POST", url(keygate), BODY, {"x-goog-api-key": keygate.google_key})
    assert status == 200
    assert headers["x-request-id"]
    assert headers["x-keygate-provider"] == "google"
    assert headers["x-keygate-attempts"] == "2"
    assert headers["x-keygate-source"] == "provider"
    assert len(headers["x-keygate-key"]) == 12


def test_a_request_id_is_kept(keygate):
    headers = {"x-goog-api-key": keygate.google_key, "x-request-id": "order-4711"}
    assert call("POST", url(keygate), BODY, headers)[1]["x-request-id"] == "order-4711"


def test_no_credential_is_unauthenticated_in_the_shape_of_the_surface(keygate):
    status, _, answer = call("POST", url(keygate), BODY)
    assert (status, answer["error"]["status"]) == (401, "UNAUTHENTICATED")
    status, _, answer = call("POST", keygate.anam + "/v1/auth/session-token", {"personaConfig": {"personaId": "p"}})
    assert status == 401 and set(answer) >= {"error", "message"}
    assert not keygate.sim.requests("google") and not keygate.sim.requests("anam")


@pytest.mark.parametrize("path", ["/v1beta/../admin", "/v1beta/models/..%2f..%2fx:generateContent", "/nothing/here"])
def test_hostile_and_unknown_paths_reach_no_provider(keygate, path):
    status, _, answer = call("POST", keygate.google + path, BODY, {"x-goog-api-key": keygate.google_key})
    assert 400 <= status < 500, answer
    assert not keygate.sim.requests("google")


def test_status_shows_the_failed_key_and_reset_brings_it_back(keygate, gateway):
    keygate.sim.script({"provider": "google", "action": answer_row("key_invalid")})
    assert call("POST", url(keygate), BODY, {"x-goog-api-key": keygate.google_key})[0] == 200
    _, _, status = gateway.admin("GET", "/api/gemini/status")
    assert (status["total_keys"], status["available_keys"], status["failed_keys"]) == (3, 2, 1)
    (failed,) = [key for key in status["keys"] if key["is_failed"]]
    assert "sim-google" not in json.dumps(failed["key_preview"]) and failed["failed_at"]
    assert gateway.admin("POST", "/api/gemini/reset-keys")[2] == {"message": "Failed API keys reset successfully"}
    assert gateway.admin("GET", "/api/keys/status")[2]["api_keys"]["google"]["available"] == 3


def test_admin_routes_refuse_client_tokens(keygate):
    bearer = {"authorization": f"Bearer {keygate.google_key}"}
    status, _, answer = call("POST", keygate.google + "/api/google/reset-keys", None, bearer)
    assert status in (401, 403) and answer["detail"]
