"""openai, unchanged, against the OpenAI-compatible surface."""

import io
import json

import openai
import pytest
from google import genai
from google.genai import types

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


@pytest.mark.parametrize("name", [MODEL, f"models/{MODEL}"])
def test_a_model_is_known_by_both_of_its_names(door, name):
    assert client(door).models.retrieve(name).id == f"models/{MODEL}"
    answer = client(door).chat.completions.create(model=name, messages=MESSAGES)
    assert answer.choices[0].message.content


WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
ASK_WEATHER = {"role": "user", "content": 'call weather {"city": "Hanoi"}'}


def test_calls_a_function_and_takes_its_result(door):
    completions = client(door).chat.completions
    first = completions.create(model=MODEL, messages=[ASK_WEATHER], tools=[WEATHER])
    (call,) = first.choices[0].message.tool_calls
    assert first.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, call.function.arguments) == ("weather", '{"city":"Hanoi"}')
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    said = [ASK_WEATHER, first.choices[0].message.model_dump(exclude_none=True), result]
    answer = completions.create(model=MODEL, messages=said, tools=[WEATHER])
    assert "sunny" in answer.choices[0].message.content


def test_streams_a_function_call(door):
    stream = client(door).chat.completions.create(model=MODEL, messages=[ASK_WEATHER], tools=[WEATHER], stream=True)
    chunks = list(stream)
    calls = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]
    assert calls[0].function.name == "weather"
    assert all(chunk.usage is None and chunk.choices for chunk in chunks), "usage was not asked for"


def test_draws_images(door):
    answer = client(door).images.generate(model="gemini-3.1-flash-image", prompt="a cat", n=2, response_format="b64_json")
    assert [bool(image.b64_json) for image in answer.data] == [True, True]


def batch_file(door):
    """Files are not carried by this surface: Google's own SDK uploads them."""

    def line(name):
        body = {"model": MODEL, "messages": [{"role": "user", "content": name}]}
        return json.dumps({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body})

    lines = "\n".join(line(name) for name in ("one", "two")) + "\n"
    gemini = native(door)
    return gemini.files.upload(file=io.BytesIO(lines.encode()), config={"mime_type": "application/jsonl"}).name


def native(door):
    http_options = types.HttpOptions(base_url=door.google, api_version="v1beta")
    return genai.Client(api_key=door.google_key, http_options=http_options)


def create_batch(door):
    return client(door).batches.create(
        input_file_id=batch_file(door), endpoint="/v1/chat/completions", completion_window="24h"
    )


@pytest.mark.parametrize("round", range(3))
def test_a_batch_runs_until_its_results_are_read(door, round):
    batch = create_batch(door)
    for _ in range(5):
        if batch.status == "completed":
            break
        batch = client(door).batches.retrieve(batch.id)
    assert batch.status == "completed"
    gemini = native(door)
    results = gemini.files.download(file=batch.output_file_id).decode().splitlines()
    said = {result["custom_id"]: result["response"]["body"] for result in map(json.loads, results)}
    assert said["two"]["choices"][0]["message"]["content"] == "You said: two"


def test_lists_batches_page_by_page(door):
    made = {create_batch(door).id for _ in range(5)}
    listed = [batch.id for batch in client(door).batches.list(limit=2)]
    assert set(listed) == made and len(listed) == 5


def test_makes_lists_and_deletes_videos(door):
    videos = client(door).videos
    made = [videos.create(prompt="a cat", model=MODEL).id for _ in range(3)]
    picture = ("cat.png", b"\x89PNG", "image/png")
    made.append(videos.create(prompt="a cat", model=MODEL, input_reference=picture).id)
    assert {request["model"] for request in door.sim.requests("google")} == {MODEL}
    assert {video.id for video in videos.list(limit=1)} == set(made)
    for video in made:
        assert videos.retrieve(video).id == video
        assert videos.delete(video).deleted


def test_an_asynchronous_stream_works_too(door):
    import asyncio

    async def ask():
        async with openai.AsyncOpenAI(api_key=door.google_key, base_url=door.openai) as asynchronous:
            stream = await asynchronous.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
            return [chunk async for chunk in stream]

    chunks = asyncio.run(ask())
    assert len(chunks) > 1 and all(chunk.usage is None for chunk in chunks)


def test_the_callers_mistake_is_told_once(door):
    door.sim.script({"provider": "google", "action": answer_row("unknown_field"), "times": None})
    with pytest.raises(openai.BadRequestError):
        complete(door)
    assert len(door.sim.requests("google")) == 1


def test_the_providers_own_words_can_be_read(keygate):
    """Straight from Google they stand in an array, where the SDK finds neither message nor code."""
    keygate.sim.script({"provider": "google", "action": answer_row("unknown_field")})
    with pytest.raises(openai.BadRequestError) as raised:
        complete(keygate)
    assert "unknown_field" in raised.value.message
    assert raised.value.code == "400"


def test_a_stream_that_breaks_raises(keygate):
    keygate.sim.script({"provider": "google", "action": {"half_stream": {"events": 2, "ending": "close"}}})
    seen = []
    with pytest.raises(openai.APIError):
        for chunk in client(keygate).chat.completions.create(model=MODEL, messages=MESSAGES, stream=True):
            seen.append(chunk)
    assert len(seen) == 2


def test_a_stream_refused_before_its_first_byte_begins_on_another_key(keygate):
    keygate.sim.script({"provider": "google", "action": answer_row("minute_requests")})
    stream = client(keygate).chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    assert len(list(stream)) > 1
    assert [request["status"] for request in keygate.sim.requests("google")] == [429, 200]


def test_no_key_is_asked_after_the_sdks_timeout(keygate):
    keygate.sim.script({"provider": "google", "action": "hang", "times": None})
    with pytest.raises((openai.APITimeoutError, openai.InternalServerError)):
        complete(keygate, timeout=1, max_retries=0)
    assert len(keygate.sim.requests("google")) == 1


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
        complete(keygate)
    assert raised.value.response.headers["x-keygate-error"] == "user_limited"
    assert raised.value.response.headers["x-should-retry"] == "false", "it would sleep inside the call for a minute"
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
