"""Live with google-genai, unchanged: it insists on TLS, so these tests have a gateway with a certificate."""

import asyncio

import pytest
from google import genai
from google.genai import errors, types
from websockets.exceptions import InvalidStatus

import house
from house import answer_row

MODEL = "gemini-3.8-live"
PATIENCE = 20  # seconds


@pytest.fixture
def live(secure_keygate):
    return Live(secure_keygate.google, secure_keygate.google_key, secure_keygate.sim)


class Live:
    def __init__(self, url, token, sim):
        self.url, self.token, self.sim = url, token, sim

    def client(self, token=None, **options):
        http_options = types.HttpOptions(base_url=self.url, **options)
        return genai.Client(api_key=token or self.token, http_options=http_options)

    def projects(self):
        return [request["project"] for request in self.sim.requests("google", "live")]


def run(story):
    async def in_time():
        return await asyncio.wait_for(story, PATIENCE)

    return asyncio.run(in_time())


async def turn(session, text):
    await session.send_client_content(turns=types.Content(role="user", parts=[types.Part(text=text)]))
    said, usage = "", None
    async for message in session.receive():
        said += message.text or ""
        usage = message.usage_metadata or usage
    return said, usage


CONFIG = {"response_modalities": ["TEXT"]}


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_a_turn_is_heard(live, version):
    async def story():
        client = live.client(api_version=version)
        async with client.aio.live.connect(model=MODEL, config=CONFIG) as session:
            said, usage = await turn(session, "hello")
            assert said == "You said: hello"
            assert usage.total_token_count > 0
            assert (await turn(session, "more"))[0] == "You said: more"

    run(story())
    (request,) = live.sim.requests("google", "live")
    assert request["path"].startswith(f"/ws/google.ai.generativelanguage.{version}.")
    assert [seen["place"] for seen in request["credentials"]] == ["header x-goog-api-key"]
    assert "kg_" not in repr(request)


def test_a_session_is_resumed_by_the_project_that_has_it(live):
    async def story():
        client = live.client()
        config = {**CONFIG, "session_resumption": {}}
        async with client.aio.live.connect(model=MODEL, config=config) as session:
            await turn(session, "hello")
            # It follows the end of the turn.
            async for message in session.receive():
                if message.session_resumption_update:
                    handle = message.session_resumption_update.new_handle
                    break
        for _ in range(3):
            config = {**CONFIG, "session_resumption": {"handle": handle}}
            async with client.aio.live.connect(model=MODEL, config=config) as session:
                assert (await turn(session, "again"))[0] == "You said: again"

    run(story())
    assert len(live.projects()) == 4
    assert len(set(live.projects())) == 1


def test_a_bad_key_is_noticed_by_nobody(live):
    live.sim.keys({"states": {"sim-google-alpha-1": "key_invalid", "sim-google-alpha-2": "key_invalid"}})

    async def story():
        client = live.client()
        for _ in range(3):
            async with client.aio.live.connect(model=MODEL, config=CONFIG) as session:
                assert (await turn(session, "hello"))[0] == "You said: hello"

    run(story())
    assert live.projects()[-1] == "beta"


def test_an_exhausted_pool_is_the_sdks_own_exception(live):
    live.sim.script(
        {"provider": "google", "operation": "live", "action": answer_row("exhausted_bare"), "times": None}
    )

    async def story():
        client = live.client()
        async with client.aio.live.connect(model=MODEL, config=CONFIG):
            pass

    with pytest.raises(errors.APIError) as told:
        run(story())
    assert told.value.code == 1011
    assert "RESOURCE_EXHAUSTED: All Gemini API keys failed" in str(told.value)


def test_an_unknown_token_is_refused_before_the_connection(live):
    async def story():
        client = live.client("kg_unknown")
        async with client.aio.live.connect(model=MODEL, config=CONFIG):
            pass

    with pytest.raises(InvalidStatus) as told:
        run(story())
    assert told.value.response.status_code == 401
    assert live.projects() == []


def test_an_ephemeral_token_needs_no_token_of_the_gateway(live):
    key = {"x-goog-api-key": "sim-google-beta-1"}
    status, _, made = house.call("POST", live.sim.google + "/v1alpha/auth_tokens", {}, key)
    assert status == 200

    async def story():
        client = live.client(made["name"], api_version="v1alpha")
        async with client.aio.live.connect(model=MODEL, config=CONFIG) as session:
            assert (await turn(session, "hello"))[0] == "You said: hello"

    run(story())
    (request,) = live.sim.requests("google", "live")
    assert [seen["label"] for seen in request["credentials"]] == ["live token of beta"]
