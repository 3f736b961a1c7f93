"""Stored answers through the providers' own SDKs: when every key failed, they see an ordinary answer."""

import subprocess

import openai
import pytest
from google import genai
from google.genai import errors, types

import house
from house import answer_row

MODEL = "gemini-3.8-flash"
QUESTION = "What are the opening hours of the zoo?"
REPLY = "The zoo opens at nine."
ROWS = f"- {{ id: zoo, match: opening hours of the zoo, reply: {REPLY} }}\n"


def answers(logs, *arguments):
    command = [house.BINARIES / "keygate", "answers", *arguments, "--config", "keygate.yaml"]
    subprocess.run(command, cwd=logs, env={}, check=True, capture_output=True, timeout=house.PATIENCE)


@pytest.fixture
def stuck(keygate, logs):
    """Every key fails, and there is an answer for that."""
    (logs / "answers.yaml").write_text(ROWS)
    answers(logs, "import", "answers.yaml")
    keygate.sim.script({"provider": "google", "action": answer_row("day_requests"), "times": None})
    yield keygate
    answers(logs, "remove", "zoo")


def gemini(door):
    return genai.Client(api_key=door.google_key, http_options=types.HttpOptions(base_url=door.google))


def chat(door):
    return openai.OpenAI(api_key=door.google_key, base_url=door.openai).chat.completions


def test_google_genai_reads_one_whole(stuck):
    client = gemini(stuck)
    answer = client.models.generate_content(model=MODEL, contents=QUESTION)
    assert answer.text == REPLY
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.usage_metadata.total_token_count == 0
    assert answer.sdk_http_response.headers["x-keygate-source"] == "stored"


def test_google_genai_reads_one_as_a_stream(stuck):
    client = gemini(stuck)
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=QUESTION))
    assert "".join(chunk.text or "" for chunk in chunks) == REPLY
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP


def test_google_genai_reads_one_in_a_chat(stuck):
    client = gemini(stuck)
    conversation = client.chats.create(model=MODEL)
    assert conversation.send_message(QUESTION).text == REPLY
    assert len(conversation.get_history()) == 2


def test_google_genai_reads_one_as_an_interaction(stuck):
    client = gemini(stuck)
    if not hasattr(client, "interactions"):
        pytest.skip("this major has no interactions")
    interaction = client.interactions.create(model=MODEL, input=QUESTION)
    assert interaction.status == "completed"
    assert REPLY in interaction.model_dump_json()
    events = list(client.interactions.create(model=MODEL, input=QUESTION, stream=True))
    assert events[0].event_type == "interaction.created"
    assert any(REPLY in event.model_dump_json() for event in events)
    assert "interaction.completed" in [event.event_type for event in events]


def test_openai_reads_one_whole(stuck):
    raw = chat(stuck).with_raw_response.create(model=MODEL, messages=[{"role": "user", "content": QUESTION}])
    assert raw.headers["x-keygate-source"] == "stored"
    answer = raw.parse()
    assert answer.choices[0].message.content == REPLY
    assert (answer.choices[0].finish_reason, answer.model, answer.usage.total_tokens) == ("stop", MODEL, 0)


@pytest.mark.parametrize("asks_for_usage", [False, True])
def test_openai_reads_one_as_a_stream(stuck, asks_for_usage):
    options = {"stream_options": {"include_usage": True}} if asks_for_usage else {}
    messages = [{"role": "user", "content": QUESTION}]
    chunks = list(chat(stuck).create(model=MODEL, messages=messages, stream=True, **options))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == REPLY
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == ([0] if asks_for_usage else [])


def test_what_a_tool_is_offered_for_is_refused(stuck):
    client = gemini(stuck)
    tool = types.Tool(function_declarations=[types.FunctionDeclaration(name="look_up")])
    with pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(
            model=MODEL, contents=QUESTION, config=types.GenerateContentConfig(tools=[tool])
        )
    assert raised.value.code == 429


def test_plain_http_reads_one_from_the_assistant(stuck):
    headers = {"authorization": f"Bearer {stuck.google_key}"}
    status, told, answer = house.call("POST", stuck.google + "/api/v1/assistant/query", {"message": QUESTION}, headers)
    assert (status, told["x-keygate-source"]) == (200, "stored")
    assert (answer["reply"], answer["source"]) == (REPLY, "stored")
