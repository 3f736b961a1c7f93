"""Each client through the same six trials. docs/compatibility.md shows them as a grid, made of the names of these tests."""

import asyncio
import time

import pytest

from house import answer_row, straight
from sdks import PIECES, Line, clients, name_of

CLIENTS = clients()
STREAMING = [client for client in CLIENTS if client.stream]
DOORS = ("direct", "keygate")
# More than one round of the keys, and fewer than a user may have running.
AT_ONCE = 9
MORE_CALLS = 4
PIECES_BEFORE_THE_BREAK = 2
TELLING = "".join(f"event {number} of {PIECES}\n" for number in range(1, PIECES + 1))


def each(known, told=lambda client: ""):
    """One test per client. Its name is a cell of the grid: whose it is, and what the client is told."""
    return pytest.mark.parametrize(
        "client", [pytest.param(client, id=" | ".join(filter(None, (client.name, told(client))))) for client in known]
    )


def at_both_doors(known):
    tried = [(client, door) for client in known for door in DOORS if not (client.needs_tls and door == "direct")]
    return pytest.mark.parametrize(
        ("client", "which"), [pytest.param(client, door, id=f"{door} | {client.name}") for client, door in tried]
    )


@pytest.fixture
def keygate_of(request):
    """The door through the gateway, with a certificate for a client that insists on one."""
    return lambda client: request.getfixturevalue("secure_keygate" if client.needs_tls else "keygate")


@pytest.fixture
def door_of(sim, keygate_of):
    return lambda client, which: straight(sim) if which == "direct" else keygate_of(client)


@pytest.fixture
def without_naps(monkeypatch):
    """Nobody sleeps between retries: some SDKs would for half a minute."""
    sleep = asyncio.sleep

    async def nap(_, *rest):
        await sleep(0, *rest)

    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(asyncio, "sleep", nap)


def key_of(request):
    """The key that came along; an upload goes on without one."""
    return request["credentials"][0]["label"] if request["credentials"] else None


def requests_with(sim, key):
    return [request for request in sim.requests("google") if key_of(request) == key]


def requests(count):
    return f"{count} request{'s' if count > 1 else ''}"


@at_both_doors(CLIENTS)
def test_success(door_of, client, which):
    with Line(client, door_of(client, which)) as line:
        assert line.ask()


def told_by(line):
    seen = []
    line.stream(seen)
    assert len(seen) >= PIECES, "not piece by piece"
    return "".join(seen)


@at_both_doors(STREAMING)
def test_stream(door_of, client, which):
    with Line(client, door_of(client, which)) as line:
        assert told_by(line) == TELLING


@each(CLIENTS, lambda client: f"{client.exhausted}, {requests(client.requests)}")
@pytest.mark.usefixtures("without_naps")
def test_pool_exhausted(keygate_of, client):
    """However often the SDK asks by itself, each quota group is asked once, and the caller is told in the SDK's words."""
    door = keygate_of(client)
    door.sim.script({"provider": "google", "action": answer_row("day_requests"), "times": None})
    with Line(client, door) as line:
        with pytest.raises(Exception) as raised:
            line.ask()
        assert name_of(raised.value) == client.exhausted
        assert "All Gemini API keys failed. Last error: Quota exhausted" in str(raised.value)
        assert door.asked() == client.requests
        if client.stream:
            with pytest.raises(Exception) as raised:
                line.stream([])
            assert name_of(raised.value) == client.exhausted
            assert door.asked() == 2 * client.requests
    assert len(door.sim.requests("google")) == 2, "one request per quota group"


@each(CLIENTS)
def test_key_dies_between_calls(keygate_of, client):
    door = keygate_of(client)
    with Line(client, door) as line:
        assert line.ask()
        asked, dead = door.asked(), key_of(door.sim.requests("google")[0])
        before = len(requests_with(door.sim, dead))
        door.sim.keys({"states": {dead: "key_invalid"}})
        for _ in range(MORE_CALLS):
            if client.stream:
                assert told_by(line) == TELLING
            else:
                assert line.ask()
    assert len(requests_with(door.sim, dead)) == before + 1, "a dead key is tried once and never again"
    assert door.asked() == asked * (1 + MORE_CALLS), "the SDK saw nothing that it would repeat"


@each(CLIENTS)
def test_key_dies_in_a_burst(keygate_of, client):
    door = keygate_of(client)
    with Line(client, door) as line:
        assert line.ask()
        asked = door.asked()
        dies = {"provider": "google", "key": "sim-google-alpha-1", "after": 1, "delay": "50ms", "times": None}
        goes_on = {"provider": "google", "delay": "50ms", "action": "pass", "times": None}
        door.sim.script({**dies, "action": answer_row("key_invalid")}, goes_on)
        assert all(line.ask_at_once(AT_ONCE))
    refused = [seen for seen in requests_with(door.sim, "sim-google-alpha-1") if seen["status"] == 400]
    assert refused, "the key died with requests under way"
    assert door.asked() == asked * (1 + AT_ONCE), "the SDK saw nothing that it would repeat"


@each(STREAMING, lambda client: client.broken)
def test_stream_breaks(keygate_of, client):
    """What was half told is never told again: the caller keeps what it has, and is told that it is not all."""
    door = keygate_of(client)
    seen = []
    with Line(client, door) as line:
        if client.broken_story is None:
            half = {"half_stream": {"events": client.events_of(PIECES_BEFORE_THE_BREAK), "ending": "close"}}
            door.sim.script({"provider": "google", "action": half})
        with pytest.raises(Exception) as raised:
            line.stream(seen, *filter(None, [client.broken_story]))
    assert name_of(raised.value) == client.broken
    assert len(seen) == PIECES_BEFORE_THE_BREAK
    assert (door.asked(), len(door.sim.requests("google"))) == (1, 1)
