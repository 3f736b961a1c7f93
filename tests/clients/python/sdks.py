"""The SDKs as the grid of test_grid.py uses them: each opened, asked, and asked for a stream. No test lives here.

What an SDK is known to do when the gateway refuses or a stream breaks stands beside it: the tests hold it against what
happens, and docs/compatibility.md shows it.
"""

import asyncio
import http.client
import importlib.util
import inspect
import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from urllib.parse import urlsplit

from google import genai
from google.genai import types

MODEL = "gemini-3.8-flash"
LIVE_MODEL = "gemini-3.8-live"
STORY = "stream 5"
PIECES = 5


class ErrorEvent(Exception):
    """What a client tells as an event of its stream, and does not raise."""


class HttpError(Exception):
    """A status that is not 200, where no SDK makes an exception of it."""


def name_of(error):
    """What a client was told, in a word or two."""
    match error:
        case ErrorEvent():
            return "error event"
        case HttpError(args=(status, *_)):
            return f"HTTP {status}"
        case _:
            return type(error).__name__


@dataclass(frozen=True)
class Client:
    """One way to use one SDK."""

    name: str
    # (door) → what the calls are made with.
    opened: Callable
    # (what was opened) → something true; a coroutine of an asynchronous client.
    ask: Callable
    # (what was opened) → the pieces of an answer, one by one; absent where there are no streams.
    stream: Callable | None = None
    # What it raises when every key is out, and how often it asks by itself.
    exhausted: str = "ClientError"
    requests: int = 1
    # What it raises when a stream breaks.
    broken: str = "ServerError"
    # It insists on TLS.
    needs_tls: bool = False
    # What makes the simulated model break off, where a script cannot.
    broken_story: str | None = None
    # Events of its stream in front of the first piece of text.
    preamble: int = 0

    def events_of(self, pieces):
        return self.preamble + pieces


class Line:
    """A client in use at a door. An asynchronous one has one event loop for all its calls."""

    def __init__(self, client, door):
        self._client, self._runner = client, asyncio.Runner()
        self._sdk = client.opened(door)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._runner.close()

    def ask(self):
        answer = self._client.ask(self._sdk)
        return self._runner.run(answer) if inspect.iscoroutine(answer) else answer

    def ask_at_once(self, count):
        """So many calls side by side."""
        if inspect.iscoroutinefunction(self._client.ask):

            async def together():
                return await asyncio.gather(*(self._client.ask(self._sdk) for _ in range(count)))

            return self._runner.run(together())
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(lambda _: self._client.ask(self._sdk), range(count)))

    def stream(self, seen, story=STORY):
        """Adds each piece to what was seen, so that it is known when the stream raises."""
        pieces = self._client.stream(self._sdk, story)
        if not inspect.isasyncgen(pieces):
            seen.extend(pieces)
            return

        async def read():
            async for piece in pieces:
                seen.append(piece)

        self._runner.run(read())


# === google-genai ===


def gemini(door):
    return genai.Client(api_key=door.google_key, http_options=types.HttpOptions(base_url=door.google))


def generate(sdk):
    return sdk.models.generate_content(model=MODEL, contents="Say hello").text


def generate_stream(sdk, story):
    for chunk in sdk.models.generate_content_stream(model=MODEL, contents=story):
        yield chunk.text


async def generate_async(sdk):
    return (await sdk.aio.models.generate_content(model=MODEL, contents="Say hello")).text


async def generate_stream_async(sdk, story):
    async for chunk in await sdk.aio.models.generate_content_stream(model=MODEL, contents=story):
        yield chunk.text


def interact(sdk):
    return sdk.interactions.create(model=MODEL, input="Say hello").output_text


def interact_stream(sdk, story):
    for event in sdk.interactions.create(model=MODEL, input=story, stream=True):
        yield from texts_of(event)


async def interact_async(sdk):
    return (await sdk.aio.interactions.create(model=MODEL, input="Say hello")).output_text


async def interact_stream_async(sdk, story):
    async for event in await sdk.aio.interactions.create(model=MODEL, input=story, stream=True):
        for text in texts_of(event):
            yield text


def texts_of(event):
    if event.event_type == "error":
        raise ErrorEvent(event.error.code)
    return [event.delta.text] if event.event_type == "step.delta" else []


def upload(sdk):
    return sdk.files.upload(file=io.BytesIO(b"notes"), config={"mime_type": "text/plain"}).name


async def upload_async(sdk):
    return (await sdk.aio.files.upload(file=io.BytesIO(b"notes"), config={"mime_type": "text/plain"})).name


CACHED = types.CreateCachedContentConfig(contents="a long text " * 40, ttl="600s")


def with_cache(name):
    return types.GenerateContentConfig(cached_content=name)


def cache(sdk):
    name = sdk.caches.create(model=MODEL, config=CACHED).name
    return sdk.models.generate_content(model=MODEL, contents="Say hello", config=with_cache(name)).text


async def cache_async(sdk):
    name = (await sdk.aio.caches.create(model=MODEL, config=CACHED)).name
    return (await sdk.aio.models.generate_content(model=MODEL, contents="Say hello", config=with_cache(name))).text


INLINED = [types.InlinedRequest(contents=[types.Content(role="user", parts=[types.Part(text="hello")])])]


def batch(sdk):
    name = sdk.batches.create(model=MODEL, src=INLINED).name
    return sdk.batches.get(name=name).dest.inlined_responses[0].response.text


async def batch_async(sdk):
    name = (await sdk.aio.batches.create(model=MODEL, src=INLINED)).name
    return (await sdk.aio.batches.get(name=name)).dest.inlined_responses[0].response.text


async def live(sdk):
    return "".join([piece async for piece in live_stream(sdk, "Say hello")])


async def live_stream(sdk, story):
    async with sdk.aio.live.connect(model=LIVE_MODEL, config={"response_modalities": ["TEXT"]}) as session:
        await session.send_client_content(turns=types.Content(role="user", parts=[types.Part(text=story)]))
        async for message in session.receive():
            if message.text:
                yield message.text


def google_clients():
    google = f"google-genai {genai.__version__} (Python)"
    is_older = int(genai.__version__.split(".")[0]) < 3
    interactions = {"exhausted": "RateLimitError", "requests": 4 if is_older else 5, "broken": "error event", "preamble": 2}
    in_session = {"exhausted": "APIError", "broken": "APIError", "broken_story": "leave after 2"}
    return [
        Client(google, gemini, generate, generate_stream),
        Client(f"{google}, async", gemini, generate_async, generate_stream_async),
        Client(f"{google}: Interactions", gemini, interact, interact_stream, **interactions),
        Client(f"{google}: Interactions, async", gemini, interact_async, interact_stream_async, **interactions),
        Client(f"{google}: files", gemini, upload),
        Client(f"{google}: files, async", gemini, upload_async),
        Client(f"{google}: caches", gemini, cache),
        Client(f"{google}: caches, async", gemini, cache_async),
        Client(f"{google}: batches", gemini, batch),
        Client(f"{google}: batches, async", gemini, batch_async),
        Client(f"{google}: Live", gemini, live, live_stream, needs_tls=True, **in_session),
    ]


# === langchain-google-genai ===


def langchain(door):
    from langchain_google_genai import ChatGoogleGenerativeAI

    return ChatGoogleGenerativeAI(model=MODEL, google_api_key=door.google_key, base_url=door.google)


def invoke(sdk):
    return sdk.invoke("Say hello").text


def invoke_stream(sdk, story):
    for chunk in sdk.stream(story):
        yield chunk.text


async def invoke_async(sdk):
    return (await sdk.ainvoke("Say hello")).text


async def invoke_stream_async(sdk, story):
    async for chunk in sdk.astream(story):
        yield chunk.text


def langchain_clients():
    name = f"langchain-google-genai {metadata.version('langchain-google-genai')}"
    told = {"exhausted": "GoogleRateLimitError", "requests": 6, "broken": "GoogleAPIError"}
    return [
        Client(name, langchain, invoke, invoke_stream, **told),
        Client(f"{name}, async", langchain, invoke_async, invoke_stream_async, **told),
    ]


# === openai ===


def openai(door):
    from openai import OpenAI

    return OpenAI(api_key=door.google_key, base_url=door.openai)


def openai_async(door):
    from openai import AsyncOpenAI

    return AsyncOpenAI(api_key=door.google_key, base_url=door.openai)


def said(text):
    return {"model": MODEL, "messages": [{"role": "user", "content": text}]}


def complete(sdk):
    return sdk.chat.completions.create(**said("Say hello")).choices[0].message.content


def complete_stream(sdk, story):
    for chunk in sdk.chat.completions.create(**said(story), stream=True):
        yield chunk.choices[0].delta.content


async def complete_async(sdk):
    return (await sdk.chat.completions.create(**said("Say hello"))).choices[0].message.content


async def complete_stream_async(sdk, story):
    async for chunk in await sdk.chat.completions.create(**said(story), stream=True):
        yield chunk.choices[0].delta.content


def openai_clients():
    name = f"openai {metadata.version('openai')} (Python)"
    told = {"exhausted": "RateLimitError", "broken": "APIError"}
    return [
        Client(name, openai, complete, complete_stream, **told),
        Client(f"{name}, async", openai_async, complete_async, complete_stream_async, **told),
    ]


# === plain HTTP ===


def contents(text):
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


def post(door, path, body, headers):
    """As PHP's streams do it: a connection for each call, read as it comes."""
    place = urlsplit(door.google)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json", **headers})
    answer = connection.getresponse()
    if answer.status != 200:
        raise HttpError(answer.status, answer.read().decode())
    return answer


def plain(door):
    return lambda action, text: post(
        door, f"/v1beta/models/{MODEL}:{action}", contents(text), {"x-goog-api-key": door.google_key}
    )


def plain_ask(send):
    return text_of(json.load(send("generateContent", "Say hello")))


def plain_stream(send, story):
    for line in send("streamGenerateContent?alt=sse", story):
        if line.startswith(b"data: "):
            yield text_of(json.loads(line.removeprefix(b"data: ")))


def plain_array(send, story):
    """Each element as soon as it is there, as PHP's parsers of streamed JSON do it."""
    answer, decoder, text = send("streamGenerateContent", story), json.JSONDecoder(), ""
    while read := answer.read1():
        text = (text + read.decode()).lstrip("[,\r\n")
        while text.startswith("{"):
            try:
                element, end = decoder.raw_decode(text)
            except ValueError:
                break
            text = text[end:].lstrip(",\r\n")
            yield text_of(element)


def text_of(answer):
    if "error" in answer:
        raise ErrorEvent(answer["error"]["code"])
    return answer["candidates"][0]["content"]["parts"][0]["text"]


def plain_openai(door):
    bearer = {"authorization": f"Bearer {door.google_key}"}
    return lambda body: post(door, "/v1beta/openai/chat/completions", body, bearer)


def plain_openai_ask(send):
    return json.load(send(said("Say hello")))["choices"][0]["message"]["content"]


def plain_openai_stream(send, story):
    for line in send({**said(story), "stream": True}):
        if line.startswith(b"data: {"):
            answer = json.loads(line.removeprefix(b"data: "))
            if "error" in answer:
                raise ErrorEvent(answer["error"]["code"])
            yield answer["choices"][0]["delta"]["content"]


def plain_clients():
    told = {"exhausted": "HTTP 429", "broken": "error event"}
    return [
        Client("Plain HTTP", plain, plain_ask, plain_stream, **told),
        # Nothing can be said in the middle of an array: the connection is cut, so that nobody takes half of it for all.
        Client("Plain HTTP, streams as one JSON array", plain, plain_ask, plain_array, **{**told, "broken": "IncompleteRead"}),
        Client("Plain HTTP, OpenAI's surface", plain_openai, plain_openai_ask, plain_openai_stream, **told),
    ]


def clients():
    """Those whose SDK is installed here."""
    known = google_clients()
    # What goes without any SDK is tried once, not in each environment.
    if importlib.util.find_spec("openai"):
        known += openai_clients() + plain_clients()
    if importlib.util.find_spec("langchain_google_genai"):
        known += langchain_clients()
    return known
