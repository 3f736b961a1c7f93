"""The core classes of the Anam SDK, unchanged: sessions started by API key and by session token."""

import asyncio
import importlib.util
import sys
import types

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
from anam.errors import AuthenticationError, ErrorCode, SessionError  # noqa: E402
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
    ],
)
def test_when_every_organisation_refuses_the_sdk_is_told_in_its_words(keygate, row, code):
    keygate.sim.script({"provider": "anam", "operation": "engineSession", "action": answer_row(row), "times": None})
    with pytest.raises(SessionError) as raised:
        start(keygate)
    assert raised.value.code == code
    assert len(keygate.sim.requests("anam", "engineSession")) == 2


def test_the_21st_session_in_a_minute_is_refused_before_any_key_is_touched(keygate):
    for _ in range(20):
        assert start(keygate).session_id
    with pytest.raises(SessionError) as raised:
        start(keygate)
    assert raised.value.status_code == 429
    assert len(keygate.sim.requests("anam", "engineSession")) == 20


def test_signalling_is_led_through_the_gateway(door):
    from anam._signalling import SignallingClient

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
