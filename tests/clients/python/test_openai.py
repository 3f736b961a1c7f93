"""openai, unchanged, against the OpenAI-compatible surface."""

import openai
import pytest

from house import answer_row

MODEL = "gemini-3.8-flash"
MESSAGES = [{"role": "user", "content": "Say hello"}]


def client(door, **options):
    return openai.OpenAI(api_key=door.google_key, base_url=door.openai, **options)


def complete(door, **options):
    return client(door, **options).chat.completions.create(model=MODEL, messages=MESSAGES)


def test_completes(door):
    answer = complete(door)
    assert answer.choices[0].message.content
    assert answer.usage.total_tokens > 0
    assert len(door.sim.requests("google")) == 1


def test_streams_every_chunk_and_nothing_nobody_asked_for(door):
    chunks = list(client(door).chat.completions.create(model=MODEL, messages=MESSAGES, stream=True))
    assert len(chunks) > 1
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert all(chunk.usage is None for chunk in chunks), "usage was not asked for"


def test_streams_usage_when_asked(door):
    options = {"include_usage": True}
    stream = client(door).chat.completions.create(model=MODEL, messages=MESSAGES, stream=True, stream_options=options)
    usages = [chunk.usage for chunk in stream if chunk.usage]
    assert usages and usages[-1].total_tokens > 0


def test_embeds(door):
    answer = client(door).embeddings.create(model="gemini-embedding-001", input=["one", "two"])
    assert [item.index for item in answer.data] == [0, 1]
    assert all(item.embedding for item in answer.data)


def test_lists_and_gets_models(door):
    models = client(door).models
    listed = [model.id for model in models.list()]
    assert any(name.endswith(MODEL) for name in listed)
    assert models.retrieve(MODEL).id.endswith(MODEL)


def test_the_callers_mistake_is_told_once(door):
    door.sim.script({"provider": "google", "action": answer_row("unknown_field"), "times": None})
    with pytest.raises(openai.BadRequestError):
        complete(door)
    assert len(door.sim.requests("google")) == 1


def test_a_failing_key_goes_unnoticed(keygate):
    keygate.sim.script({"provider": "google", "action": answer_row("key_invalid")})
    assert complete(keygate).choices[0].message.content
    assert [request["status"] for request in keygate.sim.requests("google")] == [400, 200]


def test_an_exhausted_pool_raises_what_the_sdk_knows_and_is_not_asked_again(keygate):
    keygate.sim.script({"provider": "google", "action": answer_row("day_requests"), "times": None})
    with pytest.raises(openai.RateLimitError) as raised:
        complete(keygate)
    assert "All Gemini API keys failed. Last error: Quota exhausted" in raised.value.message
    assert raised.value.response.headers["x-should-retry"] == "false"
    assert raised.value.response.headers["retry-after"]
    assert raised.value.response.headers["x-keygate-attempts"] == "2"
    assert len(keygate.sim.requests("google")) == 2, "one request per quota group, none by the SDK's own retries"


def test_the_21st_request_in_a_minute_raises_the_sdks_exception(keygate):
    for _ in range(20):
        assert complete(keygate).choices
    with pytest.raises(openai.RateLimitError) as raised:
        complete(keygate, max_retries=0)
    assert raised.value.response.headers["x-keygate-error"] == "user_limited"
    assert len(keygate.sim.requests("google")) == 20


def test_a_wrong_token_is_the_sdks_authentication_error(keygate):
    keygate.google_key = "kg_" + "x" * 43
    with pytest.raises(openai.AuthenticationError):
        complete(keygate)
    assert not keygate.sim.requests("google")


def test_the_short_base_url_is_a_door_too(keygate):
    answer = openai.OpenAI(api_key=keygate.google_key, base_url=keygate.google + "/openai/v1").chat.completions.create(
        model=MODEL, messages=MESSAGES
    )
    assert answer.choices[0].message.content
    (request,) = keygate.sim.requests("google")
    assert request["path"] == "/v1beta/openai/chat/completions"
