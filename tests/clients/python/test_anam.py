"""The core classes of the Anam SDK, unchanged: sessions started by API key and by session token."""

import asyncio
import importlib.util
import sys
import types

import aiohttp
import pytest

from house import answer_row, call


def _load_core():
    """The SDK without its media libraries: its package as a bare name, its core modules as they are."""
    spec = importlib.util.find_spec("anam")
    package = types.ModuleType("anam")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules.setdefault("anam", package)


_load_core()

from anam._api import CoreApiClient  # noqa: E402
from anam._signalling import SignallingClient  # noqa: E402
from anam.errors import AnamError, AuthenticationError, ErrorCode, SessionError  # noqa: E402
from anam.types import ClientOptions, PersonaConfig, SessionOptions  # noqa: E402

PERSONA = {
    "name": "Liv",
    "avatar_id": "071b0286-4cce-4808-bee2-e642f1062de3",
    "voice_id": "de23e340-1416-4dd8-977d-065a7ca11697",
}


def start(door, token=None):
    options = ClientOptions(api_base_url=door.anam)
    client = CoreApiClient(None if token else door.anam_key, options, session_token=token)
    return asyncio.run(client.start_session(None if token else PersonaConfig(**PERSONA), SessionOptions()))


@pytest.fixture
def asked(monkeypatch):
    """What the SDK asks for, request by request."""
    paths, request = [], aiohttp.ClientSession._request

    async def counted(session, method, url, **options):
        paths.append(str(url).split("/v1")[-1])
        return await request(session, method, url, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "_request", counted)
    return paths


def mint(door):
    persona = {"name": "Liv", "avatarId": PERSONA["avatar_id"], "voiceId": PERSONA["voice_id"]}
    bearer = {"authorization": f"Bearer {door.anam_key}"}
    status, _, answer = call("POST", door.anam + "/v1/auth/session-token", {"personaConfig": persona}, bearer)
    assert status == 200, answer
    return answer["sessionToken"]


def test_starts_a_session_by_key(door):
    session = start(door)
    assert session.session_id and session.engine_host and session.signalling_endpoint
    assert len(door.sim.requests("anam", "engineSession")) == 1


def test_starts_a_session_by_token(door):
    assert start(door, mint(door)).session_id


def test_a_wrong_key_is_the_sdks_authentication_error(door):
    door.anam_key = "kg_" + "x" * 43
    with pytest.raises(AuthenticationError):
        start(door)


def test_the_callers_mistake_is_told_once(door):
    door.sim.script({"provider": "anam", "action": answer_row("invalid_body"), "times": None})
    with pytest.raises(SessionError) as raised:
        start(door)
    assert raised.value.code == ErrorCode.VALIDATION_ERROR
    assert len(door.sim.requests("anam", "engineSession")) == 1


@pytest.mark.parametrize("row", ["invalid_api_key", "no_plan", "concurrent_sessions", "spend_cap", "usage_limit"])
def test_a_failing_organisation_goes_unnoticed(keygate, row):
    keygate.sim.script({"provider": "anam", "operation": "engineSession", "action": answer_row(row)})
    assert start(keygate).session_id
    first, second = keygate.sim.requests("anam", "engineSession")
    assert second["status"] == 200
    assert first["project"] != second["project"]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("concurrent_sessions", ErrorCode.CONCURRENT_SESSION_LIMIT),
        ("usage_limit", ErrorCode.USAGE_LIMIT_REACHED),
        ("no_engines", ErrorCode.SERVICE_BUSY),
    ],
)
def test_when_every_organisation_refuses_the_sdk_is_told_in_its_words(keygate, asked, row, code):
    keygate.sim.script({"provider": "anam", "operation": "engineSession", "action": answer_row(row), "times": None})
    with pytest.raises(SessionError) as raised:
        start(keygate)
    assert raised.value.code == code
    assert asked == ["/engine/session"], "the SDK takes it for an answer"
    assert len(keygate.sim.requests("anam", "engineSession")) == 2


def test_an_organisation_that_fails_between_mint_and_start_goes_unnoticed(keygate, asked):
    token = mint(keygate)
    (minted,) = keygate.sim.requests("anam", "sessionToken")
    fails = {"provider": "anam", "operation": "engineSession", "project": minted["project"]}
    keygate.sim.script({**fails, "action": answer_row("no_plan"), "times": None})
    assert start(keygate, token).session_id
    assert asked == ["/engine/session"]
    assert keygate.sim.requests("anam", "engineSession")[-1]["project"] != minted["project"]


def test_a_start_whose_answer_is_lost_is_an_error_and_is_not_made_twice(keygate, asked):
    keygate.sim.script({"provider": "anam", "operation": "engineSession", "action": "reset_after_headers"})
    with pytest.raises(AnamError) as raised:
        start(keygate)
    assert (raised.value.code, raised.value.status_code) == (ErrorCode.SERVER_ERROR, 502)
    assert asked == ["/engine/session"]
    assert len(keygate.sim.requests("anam", "engineSession")) == 1


def test_the_21st_session_in_a_minute_is_refused_before_any_key_is_touched(keygate):
    for _ in range(20):
        assert start(keygate).session_id
    with pytest.raises(SessionError) as raised:
        start(keygate)
    assert raised.value.status_code == 429
    assert len(keygate.sim.requests("anam", "engineSession")) == 20


def test_an_offer_is_answered(door):
    async def story():
        options = ClientOptions(api_base_url=door.anam)
        client = CoreApiClient(door.anam_key, options)
        session = await client.start_session(PersonaConfig(**PERSONA), SessionOptions())
        heard = asyncio.Queue()
        line = SignallingClient(session, on_message=heard.put)
        await line.connect()
        await line.send_offer("v=0", "offer")
        answer = await asyncio.wait_for(heard.get(), 20)
        assert answer["actionType"] == "answer"
        assert answer["sessionId"] == session.session_id
        await line.close()

    asyncio.run(story())
    assert len(door.sim.requests("anam", "signalling")) == 1


def test_the_session_is_led_through_the_gateway(keygate):
    session = start(keygate)
    host = keygate.google.removeprefix("http://")
    assert session.engine_host.startswith(f"{host}/anam/engine/")
    signalling = SignallingClient(session)._construct_websocket_url()
    assert signalling.startswith(f"ws://{host}/anam/ws/")
    assert signalling.endswith(f"/ws?session_id={session.session_id}")
    # As its streaming client speaks, which needs media libraries to be imported.
    url = f"{session.engine_protocol}://{session.engine_host}/talk?session_id={session.session_id}"
    status, _, _ = call("POST", url, {"content": "Hello"})
    assert status == 200
    (talk,) = keygate.sim.requests("anam", "talk")
    assert talk["credentials"] == []


def test_a_client_without_a_version_is_told_so(keygate):
    """pipecat-anam passes `api_version=None` unless it is given one."""
    options = ClientOptions(api_base_url=keygate.anam, api_version=None)
    client = CoreApiClient(keygate.anam_key, options)
    with pytest.raises(Exception, match="api_version"):
        asyncio.run(client.start_session(PersonaConfig(**PERSONA), SessionOptions()))
    assert keygate.sim.requests("anam") == []


async def livekit_start(door, attempts=4, pause=0.01):
    """The start of livekit-plugins-anam 1.8: the API key directly, again after 408, 429, 499 and 5xx. Its pause
    between attempts is 2 s."""
    body = {
        "personaConfig": {
            "type": "ephemeral",
            "name": "Liv",
            "avatarId": PERSONA["avatar_id"],
            "llmId": "CUSTOMER_CLIENT_V1",
        },
        "environment": {"livekitUrl": "wss://livekit.example", "livekitToken": "a.b.c"},
    }
    headers = {"Authorization": f"Bearer {door.anam_key}", "Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(sock_connect=10)
    statuses = []
    async with aiohttp.ClientSession(timeout=timeout) as http:
        for _ in range(attempts):
            async with http.post(f"{door.anam}/v1/engine/session", headers=headers, json=body) as answer:
                statuses.append(answer.status)
                said = await answer.json()
                if answer.status not in (408, 429, 499) and answer.status < 500:
                    return statuses, said
            await asyncio.sleep(pause)
    return statuses, said


def test_a_livekit_shaped_start(door):
    statuses, session = asyncio.run(livekit_start(door))
    assert statuses == [200]
    assert session["sessionId"] and "engineHost" not in session
    (seen,) = door.sim.requests("anam", "engineSession")
    assert "livekitToken" in seen["body_start"], "the room is passed on untouched"


def test_a_livekit_shaped_start_finds_another_organisation_by_itself(keygate):
    keygate.sim.script(
        {"provider": "anam", "operation": "engineSession", "action": answer_row("concurrent_sessions")}
    )
    statuses, session = asyncio.run(livekit_start(keygate))
    assert statuses == [200] and session["sessionId"]
    assert len(keygate.sim.requests("anam", "engineSession")) == 2


def test_a_livekit_shaped_start_when_all_are_busy_costs_each_organisation_one_request(keygate):
    keygate.sim.script(
        {"provider": "anam", "operation": "engineSession", "action": answer_row("concurrent_sessions"), "times": None}
    )
    statuses, said = asyncio.run(livekit_start(keygate))
    assert statuses == [429] * 4
    assert said["error"] == "Concurrent session limit reached"
    assert len(keygate.sim.requests("anam", "engineSession")) == 2, "busy organisations are not asked again"


def test_a_livekit_shaped_start_tries_again_after_a_lost_answer(keygate):
    keygate.sim.script({"provider": "anam", "operation": "engineSession", "action": "reset_after_headers"})
    statuses, session = asyncio.run(livekit_start(keygate))
    assert statuses == [502, 200] and session["sessionId"]


def two_steps(door):
    """The start of livekit-plugins-anam 1.7 and of @livekit/agents-plugin-anam, and of a backend in PHP: a token
    first, then the session with nothing but that."""
    bearer = {"authorization": f"Bearer {door.anam_key}"}
    persona = {"type": "ephemeral", "name": "Liv", "avatarId": PERSONA["avatar_id"], "llmId": "CUSTOMER_CLIENT_V1"}
    body = {"personaConfig": persona, "environment": {"livekitUrl": "wss://livekit.example", "livekitToken": "a.b.c"}}
    status, _, minted = call("POST", door.anam + "/v1/auth/session-token", body, bearer)
    if status != 200:
        return status, minted
    bearer = {"authorization": f"Bearer {minted['sessionToken']}"}
    status, _, session = call("POST", door.anam + "/v1/engine/session", {}, bearer)
    return status, session


def test_a_start_in_two_steps_over_plain_http(door):
    status, session = two_steps(door)
    assert status == 200 and session["sessionId"], session


@pytest.mark.parametrize("row", ["no_plan", "concurrent_sessions", "spend_cap", "usage_limit"])
def test_a_start_in_two_steps_finds_another_organisation_by_itself(keygate, row):
    keygate.sim.script({"provider": "anam", "operation": "engineSession", "action": answer_row(row)})
    status, session = two_steps(keygate)
    assert status == 200 and session["sessionId"], session
    (refused, started) = keygate.sim.requests("anam", "engineSession")
    assert refused["project"] != started["project"]


@pytest.mark.parametrize(
    ("operation", "error"),
    [("sessionToken", "Usage limit reached"), ("engineSession", "Usage limit reached")],
)
def test_a_start_in_two_steps_when_nobody_can_is_told_in_anams_words(keygate, operation, error):
    keygate.sim.script({"provider": "anam", "operation": operation, "action": answer_row("usage_limit"), "times": None})
    status, said = two_steps(keygate)
    assert (status, said["error"]) == (429, error)
    assert len(keygate.sim.requests("anam", operation)) == 2
