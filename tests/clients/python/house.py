"""Starts the real binaries and speaks to their control routes. No test lives here."""

import json
import os
import random
import secrets
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BINARIES = Path(os.environ.get("KEYGATE_BIN_DIR", ROOT / "target" / "debug"))
PATIENCE = 30  # seconds a process may take to come up or to end

GOOGLE_KEYS = {"sim-google-alpha-1": "alpha", "sim-google-alpha-2": "alpha", "sim-google-beta-1": "beta"}
ANAM_KEYS = {"sim-anam-studio-1": "studio", "sim-anam-backup-1": "backup"}
ADMIN = "admin-" + secrets.token_hex(8)
CLIENT_TOKENS = 500


def client_token():
    """A gateway token: kg_ and 32 random bytes in letters and digits."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return "kg_" + "".join(secrets.choice(alphabet) for _ in range(43))


def call(method, url, body=None, headers=None):
    """One plain HTTP call: (status, headers, JSON or text)."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **(headers or {})}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            return answer.status, answer.headers, parsed(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, parsed(error.read())


def parsed(body):
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


@contextmanager
def running(name, command, log, environment=None):
    """A child process and the first JSON object it prints; ended by its id when the block ends."""
    binary = BINARIES / command[0]
    if not binary.exists():
        raise RuntimeError(f"{binary} is missing: run `cargo build --workspace --all-targets`")
    with open(log, "wb") as stderr:
        process = subprocess.Popen(
            [binary, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=log.parent,
            env=environment or {},
        )
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        ready = first_object(process.stdout)
        watchdog.cancel()
        if ready is None:
            raise RuntimeError(f"{name} did not come up:\n{log.read_text(errors='replace')}")
        threading.Thread(target=drain, args=(process.stdout,), daemon=True).start()
        yield ready
    finally:
        watchdog.cancel()
        end(process)


def first_object(stdout):
    for line in stdout:
        value = parsed(line)
        if isinstance(value, dict):
            return value
    return None


def drain(stdout):
    for _ in stdout:
        pass


def end(process):
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Simulator:
    """The control routes of the simulated providers."""

    def __init__(self, google, anam, engine):
        self.google, self.anam, self.engine = google, anam, engine

    def reset(self):
        self._call("POST", "/__sim/reset", {})

    def script(self, *faults):
        self._call("POST", "/__sim/script", list(faults))

    def keys(self, population):
        self._call("POST", "/__sim/keys", population)

    def requests(self, provider, operation=None):
        records = self._call("GET", "/__sim/requests")
        records = records if isinstance(records, list) else records["requests"]
        return [
            record
            for record in records
            if record["provider"] == provider and operation in (None, record["operation"])
        ]

    def _call(self, method, path, body=None):
        status, _, answer = call(method, self.google + path, body)
        assert status < 300, f"{method} {path}: {status} {answer}"
        return answer


@dataclass
class Door:
    """Where a client knocks, and with which credential: the providers themselves, or keygate in front of them."""

    through_keygate: bool
    google: str
    google_key: str
    anam: str
    anam_key: str
    sim: Simulator
    gateway: "Keygate | None" = None

    @property
    def openai(self):
        return self.google + "/v1beta/openai/"

    def asked(self):
        """How many requests reached the gateway that would use a key, by the gateway's own count for this client."""
        return self.gateway.asked(self.google_key)


def straight(sim):
    """The door of the providers themselves."""
    return Door(False, sim.google, "sim-google-alpha-1", sim.anam, "sim-anam-studio-1", sim)


def through(gateway, sim):
    """A door through a gateway: every key usable, nothing counted, a client that nobody was before."""
    gateway.forget_faults()
    sim.reset()
    token = gateway.fresh_token()
    return Door(True, gateway.url, token, gateway.url + "/anam", token, sim, gateway)


def answer_row(row, **details):
    """A scripted answer: a named row of the provider's error tables."""
    return {"answer": {"row": row, **details}}


def keygate_yaml(sim, telemetry=None, **server):
    def keys(known):
        return [
            {"secret": f"env:{variable(key)}", "label": key.removeprefix("sim-"), "group": group}
            for key, group in known.items()
        ]

    # JSON is YAML.
    return json.dumps(
        {
            "server": server,
            "clients": {"auth": "required"},
            "telemetry": telemetry or {},
            "providers": {
                "google": {"base_url": sim.google, "keys_from_env": False, "keys": keys(GOOGLE_KEYS)},
                "anam": {
                    "base_url": sim.anam,
                    "engine_hosts": [sim.engine.removeprefix("http://")],
                    "keys_from_env": False,
                    "keys": keys(ANAM_KEYS),
                },
            },
        },
        indent=1,
    )


def keygate_environment(tokens):
    return {
        **{variable(key): key for key in (*GOOGLE_KEYS, *ANAM_KEYS)},
        "KEYGATE_ADMIN_TOKEN": ADMIN,
        "KEYGATE_CLIENT_TOKENS": ",".join(tokens),
    }


def variable(key):
    return key.upper().replace("-", "_")


@contextmanager
def gateway_in(folder, sim, **settings):
    """A gateway of its own: a database belongs to one."""
    folder.mkdir()
    tokens = [client_token() for _ in range(10)]
    config = folder / "keygate.yaml"
    config.write_text(keygate_yaml(sim, **settings))
    command = ["keygate", "serve", "--config", str(config), "--bind", "127.0.0.1:0", "--ready-json"]
    with running("keygate", command, folder / "keygate.log", keygate_environment(tokens)) as ready:
        yield Keygate(ready["listening"], tokens)


@dataclass
class Collector:
    """A collector, and where it prints what it receives."""

    grpc: str
    http: str
    log: Path


@contextmanager
def collecting(log, signal="traces"):
    """Rotel, which prints every span, or every number."""
    import rotel

    grpc, http = free_port(), free_port()
    command = [Path(rotel.__file__).parent / "rotel-agent", "start"]
    command += ["--otlp-grpc-endpoint", f"127.0.0.1:{grpc}", "--otlp-http-endpoint", f"127.0.0.1:{http}"]
    command += ["--debug-log", signal, "--debug-log-verbosity", "detailed", "--exporter", "blackhole"]
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent, env={})
    try:
        for port in (grpc, http):
            wait_for_port(port, log)
        yield Collector(f"http://127.0.0.1:{grpc}", f"http://127.0.0.1:{http}", log)
    finally:
        end(process)


def free_port():
    """A port that stays free until it is taken: below those that systems hand out to whoever asks for any."""
    while True:
        port = random.randrange(30000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def wait_for_port(port, log):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens on {port}:\n{log.read_text(errors='replace')}")


class Keygate:
    """A running gateway and the client tokens it admits."""

    def __init__(self, url, tokens):
        self.url, self._unused = url, iter(tokens)
        # By their place in the variable they come from.
        self._names = {token: f"env-{number}" for number, token in enumerate(tokens, 1)}

    def fresh_token(self):
        """A token no other test used, so that no test spends another's requests per minute."""
        return next(self._unused)

    def asked(self, token):
        """What the limiter counted for a client whose requests name no user."""
        name = self._names[token]
        status, _, answer = self.admin("GET", f"/api/google/explain?client={name}&user={name}")
        assert status == 200, f"explain: {status} {answer}"
        return answer["user"]["limit"] - answer["user"]["remaining"]

    def forget_faults(self):
        for provider in ("google", "anam"):
            status, _, answer = self.admin("POST", f"/api/{provider}/reset-keys")
            assert status == 200, f"reset-keys: {status} {answer}"

    def admin(self, method, path, body=None):
        return call(method, self.url + path, body, {"authorization": f"Bearer {ADMIN}"})

