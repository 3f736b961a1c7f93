"""langchain-google-genai, unchanged: google-genai below it, and six requests of its own for each call."""

import pytest
# It needs an older google-genai than the other tests: see requirements-older.txt.
pytest.importorskip("langchain_google_genai")

from langchain_core.tools import tool  # noqa: E402
from langchain_google_genai import ChatGoogleGenerativeAI, GoogleGenerativeAIEmbeddings

from house import answer_row

MODEL = "gemini-3.8-flash"


def chat(door, **options):
    return ChatGoogleGenerativeAI(model=MODEL, google_api_key=door.google_key, base_url=door.google, **options)


def test_answers(door):
    answer = chat(door).invoke("Say hello")
    assert answer.content
    assert answer.usage_metadata["total_tokens"] > 0
    (request,) = door.sim.requests("google")
    assert request["path"].startswith("/v1beta/"), "it speaks another version than google-genai by itself"


def test_streams(door):
    chunks = list(chat(door).stream("Tell me a story"))
    assert len(chunks) > 1


def test_embeds(door):
    embeddings = GoogleGenerativeAIEmbeddings(
        model="gemini-embedding-001", google_api_key=door.google_key, base_url=door.google
    )
    assert len(embeddings.embed_documents(["one", "two"])) == 2


def test_offers_functions(door):
    @tool
    def weather(city: str) -> str:
        """Tells the weather."""
        return "sunny"

    assert chat(door).bind_tools([weather]).invoke("Say hello").content


def test_a_failing_key_goes_unnoticed(keygate):
    keygate.sim.script({"provider": "google", "action": answer_row("key_invalid")})
    assert chat(keygate).invoke("Say hello").content
    assert [request["status"] for request in keygate.sim.requests("google")] == [400, 200]
