"""google-genai, unchanged, against the Gemini surface."""

import pytest
from google import genai
from google.genai import errors, types

from house import answer_row

MODEL = "gemini-3.8-flash"
PER_MINUTE = 20
# The third major asks for another version by itself.
OWN_VERSION = "v1" if int(genai.__version__.split(".")[0]) >= 3 else "v1beta"


def client(door, **options):
    """The caller keeps it: a client that is forgotten closes, under the answer that is still being read."""
    http_options = types.HttpOptions(base_url=door.google, **options)
    return genai.Client(api_key=door.google_key, http_options=http_options)


def generate(door, **options):
    gemini = client(door, **options)
    return say_hello(gemini)


def say_hello(gemini):
    return gemini.models.generate_content(model=MODEL, contents="Say hello")


def stream(door):
    gemini = client(door)
    yield from gemini.models.generate_content_stream(model=MODEL, contents="Tell me a story")


@pytest.mark.parametrize("version", [None, "v1", "v1beta", "v1alpha"])
def test_generates(door, version):
    answer = generate(door, api_version=version) if version else generate(door)
    assert answer.text
    assert answer.usage_metadata.total_token_count > 0
    (request,) = door.sim.requests("google", "generateContent")
    assert request["path"] == f"/{version or OWN_VERSION}/models/{MODEL}:generateContent"


def test_streams_every_chunk(door):
    chunks = list(stream(door))
    assert len(chunks) > 1
    assert all(chunk.text for chunk in chunks[:-1])
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata.total_token_count > 0
    assert [request["stream"] for request in door.sim.requests("google")] == ["finished"]


def test_chats_over_several_turns(door):
    gemini = client(door)
    chat = gemini.chats.create(model=MODEL)
    assert chat.send_message("First").text
    assert chat.send_message("Second").text
    assert len(door.sim.requests("google", "generateContent")) == 2


def project_of(door, key):
    return {"alpha": "alpha", "beta": "beta"}[key.split("-")[2]]


def projects(door, operation):
    return [project_of(door, seen["label"]) for r in door.sim.requests("google", operation) for seen in r["credentials"]]


@pytest.mark.parametrize("round", range(3))
def test_goes_on_by_itself_until_a_long_answer_is_whole(door, round):
    """A trap: a token of one project is sent back by the SDK, in the other alphabet of base64."""
    gemini = client(door)
    for _ in range(round):
        generate(door)
    answer = gemini.models.generate_content(model=MODEL, contents="continue 4")
    assert "".join(part.text for part in answer.candidates[0].content.parts).split() == "part 1 of 4 part 2 of 4 part 3 of 4 part 4 of 4".split()
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    hops = projects(door, "generateContent")[round:]
    assert len(hops) == 4 and len(set(hops)) == 1, hops


def test_a_stream_goes_on_by_itself_until_it_is_whole(door):
    gemini = client(door)
    for count in (2, 3):
        chunks = list(gemini.models.generate_content_stream(model=MODEL, contents=f"continue {count}"))
        assert "".join(chunk.text or "" for chunk in chunks).count(f"of {count}") == count
        assert len(set(projects(door, "streamGenerateContent")[-count:])) == 1


def test_asynchronous_client_works_too(door):
    import asyncio

    async def ask():
        gemini = client(door)
        aio = gemini.aio
        answer = await aio.models.generate_content(model=MODEL, contents="Say hello")
        chunks = await aio.models.generate_content_stream(model=MODEL, contents="Tell me a story")
        return answer.text, [chunk.text async for chunk in chunks]

    text, chunks = asyncio.run(ask())
    assert text and len(chunks) > 1


def test_counts_tokens(door):
    gemini = client(door)
    assert gemini.models.count_tokens(model=MODEL, contents="Count these words").total_tokens > 0


@pytest.mark.parametrize("texts", [["one"], ["one", "two", "three"]])
def test_embeds(door, texts):
    gemini = client(door)
    answer = gemini.models.embed_content(model="gemini-embedding-001", contents=texts)
    assert len(answer.embeddings) == len(texts)
    assert all(embedding.values for embedding in answer.embeddings)


def test_lists_and_gets_models(door):
    gemini = client(door)
    names = [model.name for model in gemini.models.list()]
    assert f"models/{MODEL}" in names
    assert gemini.models.get(model=MODEL).name == f"models/{MODEL}"


def test_the_callers_mistake_is_told_once_and_verbatim(door):
    door.sim.script({"provider": "google", "action": answer_row("unknown_field"), "times": None})
    with pytest.raises(errors.ClientError) as raised:
        generate(door)
    assert (raised.value.code, raised.value.status) == (400, "INVALID_ARGUMENT")
    assert len(door.sim.requests("google")) == 1


def test_an_unknown_model_is_not_found(door):
    gemini = client(door)
    with pytest.raises(errors.ClientError) as raised:
        gemini.models.generate_content(model="gemini-none", contents="Say hello")
    assert raised.value.code == 404
    assert len(door.sim.requests("google")) == 1


def test_an_error_inside_a_stream_reaches_the_caller_as_it_is(door):
    door.sim.script({"provider": "google", "action": {"error_in_stream": {"events": 2}}})
    seen = []
    with pytest.raises(errors.ServerError) as raised:
        for chunk in stream(door):
            seen.append(chunk.text)
    assert raised.value.code == 503
    assert len(seen) == 2
    assert len(door.sim.requests("google")) == 1, "what was half told is never told again"


@pytest.mark.parametrize(
    "row", ["key_invalid", "minute_requests", "day_requests", "consumer_suspended", "key_leaked"]
)
def test_a_failing_key_goes_unnoticed(keygate, row):
    keygate.sim.script({"provider": "google", "action": answer_row(row)})
    assert generate(keygate).text
    first, second = keygate.sim.requests("google", "generateContent")
    assert first["status"] in (400, 403, 429) and second["status"] == 200
    assert first["credentials"] != second["credentials"]


def test_a_stream_that_is_refused_before_its_first_byte_begins_on_another_key(keygate):
    keygate.sim.script({"provider": "google", "action": answer_row("minute_requests")})
    chunks = list(stream(keygate))
    assert len(chunks) > 1
    assert [r["status"] for r in keygate.sim.requests("google")] == [429, 200]


def test_two_of_three_keys_are_invalid_and_no_request_fails(keygate):
    bad = {"sim-google-alpha-2": "key_invalid", "sim-google-beta-1": "key_invalid"}
    keygate.sim.keys({"states": bad})
    for _ in range(4):
        assert generate(keygate).text
    statuses = [request["status"] for request in keygate.sim.requests("google", "generateContent")]
    assert sorted(statuses) == [200] * 4 + [400] * 2, "each bad key is tried once and never again"


def test_an_exhausted_pool_raises_what_the_sdk_knows(keygate):
    keygate.sim.script({"provider": "google", "action": answer_row("day_requests"), "times": None})
    with pytest.raises(errors.ClientError) as raised:
        generate(keygate)
    assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert "All Gemini API keys failed. Last error: Quota exhausted" in raised.value.message
    assert any(detail["@type"].endswith("google.rpc.RetryInfo") for detail in raised.value.details["error"]["details"])
    assert raised.value.response.headers["retry-after"]
    assert raised.value.response.headers["x-keygate-error"] == "pool_exhausted"
    assert len(keygate.sim.requests("google")) == 2, "one request per quota group"


def test_a_pool_of_invalid_keys_is_unavailable_and_does_not_ask_to_come_back(keygate):
    keygate.sim.script({"provider": "google", "action": answer_row("key_invalid"), "times": None})
    with pytest.raises(errors.ServerError) as raised:
        generate(keygate)
    assert (raised.value.code, raised.value.status) == (503, "UNAVAILABLE")
    assert "All Gemini API keys failed. Last error: Invalid API key" in raised.value.message
    assert "retry-after" not in raised.value.response.headers
    assert len(keygate.sim.requests("google")) == 3


def test_the_21st_request_in_a_minute_is_refused_before_any_key_is_touched(keygate):
    gemini = client(keygate)
    for _ in range(PER_MINUTE):
        assert say_hello(gemini).text
    with pytest.raises(errors.ClientError) as raised:
        say_hello(gemini)
    assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert raised.value.response.headers["x-keygate-error"] == "user_limited"
    assert 0 < int(raised.value.response.headers["retry-after"]) <= 61
    assert len(keygate.sim.requests("google")) == PER_MINUTE


def test_two_users_of_one_client_do_not_share_a_limit(keygate):
    for user in ("ann", "bob"):
        gemini = client(keygate, headers={"X-User-Id": user})
        for _ in range(PER_MINUTE):
            assert say_hello(gemini).text


def test_a_wrong_token_is_unauthenticated(keygate):
    keygate.google_key = "kg_" + "x" * 43
    with pytest.raises(errors.ClientError) as raised:
        generate(keygate)
    assert (raised.value.code, raised.value.status) == (401, "UNAUTHENTICATED")
    assert not keygate.sim.requests("google")


def test_the_prefix_of_the_provider_is_a_door_too(keygate):
    keygate.google += "/google"
    assert generate(keygate).text
    assert len(keygate.sim.requests("google", "generateContent")) == 1
