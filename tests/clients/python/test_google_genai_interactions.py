"""google-genai's Interactions, unchanged: another error shape, retries of its own, and state at the provider."""

import asyncio

import pytest
from google import genai
from google.genai import types

from house import answer_row

MODEL = "gemini-3.8-flash"
# How often it asks in all by itself.
ATTEMPTS = 5 if int(genai.__version__.split(".")[0]) >= 3 else 4


def client(door):
    """The caller keeps it: a client that is forgotten closes, under the answer that is still being read."""
    return genai.Client(api_key=door.google_key, http_options=types.HttpOptions(base_url=door.google))


def create(door, **options):
    gemini = client(door)
    return say(gemini, **options)


def say(gemini, text="Say hello", **options):
    return gemini.interactions.create(**{"model": MODEL, "input": text, **options})


def name_of(raised):
    return type(raised.value).__name__


def test_creates(door):
    answer = create(door)
    assert answer.status == "completed"
    assert answer.output_text == "You said: Say hello"
    assert answer.usage.total_tokens > 0
    (request,) = door.sim.requests("google", "interactions.create")
    assert request["path"].endswith("/interactions")


def test_streams_every_event(door):
    gemini = client(door)
    events = list(gemini.interactions.create(model=MODEL, input="stream 5", stream=True))
    kinds = [event.event_type for event in events]
    assert kinds[0] == "interaction.created" and kinds[-1] == "interaction.completed"
    assert kinds.count("step.delta") == 5
    assert events[-1].interaction.usage.total_tokens > 0


def test_asynchronous_client_works_too(door):
    async def ask():
        gemini = client(door)
        aio = gemini.aio
        answer = await aio.interactions.create(model=MODEL, input="Say hello")
        stream = await aio.interactions.create(model=MODEL, input="stream 3", stream=True)
        return answer.output_text, [event.event_type async for event in stream]

    text, kinds = asyncio.run(ask())
    assert text and kinds[-1] == "interaction.completed"


def test_calls_a_function(door):
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
    answer = create(door, input='call weather {"city": "Hanoi"}', tools=[tool])
    assert answer.status == "requires_action"
    (step,) = answer.steps
    assert (step.type, step.name, step.arguments) == ("function_call", "weather", {"city": "Hanoi"})


def test_goes_on_from_the_previous_one_wherever_that_was_served(door):
    gemini = client(door)
    for _ in range(3):
        first = say(gemini)
        for _ in range(3):
            following = say(gemini, "And then?", previous_interaction_id=first.id)
            assert following.previous_interaction_id == first.id
        assert gemini.interactions.get(first.id).id == first.id


@pytest.mark.parametrize("options", [{}, {"store": False}, {"stream": True}, {"stream": True, "store": False}])
def test_goes_on_by_itself_until_a_long_answer_is_whole(door, options):
    gemini = client(door)
    for count in (2, 3):
        answer = gemini.interactions.create(model=MODEL, input=f"continue {count}", **options)
        if options.get("stream"):
            deltas = [event.delta.text for event in answer if event.event_type == "step.delta"]
            assert "".join(deltas).count(f"of {count}") == count
        else:
            assert answer.status == "completed"
        requests = door.sim.requests("google", "interactions.create")[-count:]
        assert [request["status"] for request in requests] == [200] * count
        keys = {seen["label"].rsplit("-", 1)[0] for request in requests for seen in request["credentials"]}
        assert len(keys) == 1, keys


def test_goes_on_from_one_that_was_streamed(door):
    gemini = client(door)
    events = list(gemini.interactions.create(model=MODEL, input="Say hello", stream=True))
    first = events[0].interaction.id
    for _ in range(3):
        assert say(gemini, "And then?", previous_interaction_id=first).status == "completed"
    rest = list(gemini.interactions.get(first, stream=True, last_event_id=events[2].event_id))
    assert [event.event_id for event in rest] == [event.event_id for event in events[3:]]


def test_polls_what_runs_in_the_background(door):
    gemini = client(door)
    begun = gemini.interactions.create(agent="deep-research-preview-04-2026", input="Look it up", background=True)
    assert begun.status == "in_progress"
    statuses = [gemini.interactions.get(begun.id).status for _ in range(3)]
    assert statuses == ["in_progress", "in_progress", "completed"]


def test_cancels_and_deletes(door):
    gemini = client(door)
    begun = gemini.interactions.create(agent="deep-research-preview-04-2026", input="Look it up", background=True)
    assert gemini.interactions.cancel(begun.id).status == "cancelled"
    gemini.interactions.delete(begun.id)
    with pytest.raises(Exception) as raised:
        gemini.interactions.get(begun.id)
    assert name_of(raised) == "NotFoundError"


def test_the_callers_mistake_is_told_once(door):
    door.sim.script({"provider": "google", "action": answer_row("unknown_field"), "times": None})
    with pytest.raises(Exception) as raised:
        create(door)
    assert name_of(raised) == "BadRequestError"
    assert len(door.sim.requests("google")) == 1


def test_an_error_inside_a_stream_reaches_the_caller_as_an_event(door):
    door.sim.script({"provider": "google", "action": {"error_in_stream": {"events": 3}}})
    gemini = client(door)
    events = list(gemini.interactions.create(model=MODEL, input="stream 9", stream=True))
    assert events[-1].event_type == "error"
    assert events[-1].error.code == "service_unavailable"
    assert len(door.sim.requests("google")) == 1


def test_a_stream_that_breaks_ends_with_an_event_of_the_same_shape(keygate):
    half = {"half_stream": {"events": 3, "ending": "close"}}
    keygate.sim.script({"provider": "google", "action": half})
    gemini = client(keygate)
    events = list(gemini.interactions.create(model=MODEL, input="stream 9", stream=True))
    assert (events[-1].event_type, events[-1].error.code) == ("error", "service_unavailable")


@pytest.mark.parametrize("row", ["key_invalid", "minute_requests", "consumer_suspended"])
def test_a_failing_key_goes_unnoticed(keygate, row):
    keygate.sim.script({"provider": "google", "action": answer_row(row)})
    assert create(keygate).status == "completed"
    first, second = keygate.sim.requests("google", "interactions.create")
    assert first["status"] in (400, 403, 429) and second["status"] == 200


def test_an_exhausted_minute_is_waited_for_as_long_as_the_gateway_says(keygate):
    row = answer_row("minute_requests", retry="900ms")
    keygate.sim.script({"provider": "google", "action": row, "times": 2})
    assert create(keygate).status == "completed"
    statuses = [request["status"] for request in keygate.sim.requests("google")]
    assert statuses == [429, 429, 200], "one request per quota group, and one when it is over"


def test_an_exhausted_day_is_not_slept_through(keygate, monkeypatch):
    """The SDK asks again and again, and sleeps in between as long as it is told: it must not be until midnight."""
    from google.genai._gaos.utils import retries

    sleeps = []
    monkeypatch.setattr(retries.time, "sleep", sleeps.append)
    keygate.sim.script({"provider": "google", "action": answer_row("day_requests"), "times": None})
    with pytest.raises(Exception) as raised:
        create(keygate)
    assert name_of(raised) == "RateLimitError"
    assert "All Gemini API keys failed. Last error: Quota exhausted" in str(raised.value)
    assert sleeps == [8] * (ATTEMPTS - 1)
    assert len(keygate.sim.requests("google")) == 2, "one request per quota group, however often the SDK asks"


def test_a_wrong_token_is_the_sdks_authentication_error(keygate):
    keygate.google_key = "kg_" + "x" * 43
    with pytest.raises(Exception) as raised:
        create(keygate)
    assert name_of(raised) == "AuthenticationError"
    assert not keygate.sim.requests("google")
