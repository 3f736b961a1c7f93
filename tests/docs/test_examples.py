"""The programs of `examples/`, as they are, through a real gateway to simulated providers."""

import os
import shutil
import subprocess

import pytest

import house

EXAMPLES = house.ROOT / "examples"
PERSONA = {"ANAM_AVATAR_ID": "071b0286-4cce-4808-bee2-e642f1062de3", "ANAM_VOICE_ID": "de23e340-1416-4dd8-977d-065a7ca11697"}
PAGE = "http://localhost:3000"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """Its address; the simulator answers as the provider would."""
    folder = tmp_path_factory.mktemp("gateway")
    with house.running("simulator", ["keygate-simulator"], folder / "simulator.log") as urls:
        simulator = house.Simulator(urls["google"], urls["anam"], urls["engine"])
        config = folder / "keygate.yaml"
        config.write_text(house.keygate_yaml(simulator, cors={"allow_origins": [PAGE]}))
        token = house.client_token()
        command = ["keygate", "serve", "--config", str(config), "--bind", "127.0.0.1:0", "--ready-json"]
        with house.running("keygate", command, folder / "keygate.log", house.keygate_environment([token])) as ready:
            yield {"KEYGATE_URL": ready["listening"], "KEYGATE_TOKEN": token, "SIMULATOR": simulator.google}


def run(gateway, *command):
    """What an example prints."""
    program = shutil.which(command[0])
    if not program:
        pytest.skip(f"no {command[0]} here")
    modules = house.ROOT / "tests" / "clients" / "js" / "node_modules"
    environment = {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1,localhost", **gateway}
    # Modules are looked for beside the file, so it is run from beside the packages.
    if command[0] == "node":
        file = modules.parent / f"example-{os.getpid()}.mjs"
        shutil.copy(EXAMPLES / command[1], file)
        command = (command[0], str(file))
    try:
        done = subprocess.run(command, cwd=EXAMPLES, env=environment, capture_output=True, text=True, timeout=60)
    finally:
        if command[0] == "node":
            file.unlink()
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_curl(gateway):
    printed = run(gateway, "sh", "curl/ask.sh")
    assert "You said: Say hello" in printed
    assert printed.count("data: ") > 1
    assert '"values"' in printed


@pytest.mark.parametrize("file", ["python/chat.py", "python/openai_chat.py"])
def test_python(gateway, file):
    assert "You said: Tell me a story" in run(gateway, str(house.ROOT / ".venv/bin/python"), file)


@pytest.mark.parametrize("file", ["node/chat.mjs", "node/ai-sdk.mjs"])
def test_node(gateway, file):
    assert "You said: Tell me a story" in run(gateway, "node", file)


def test_php(gateway):
    assert "You said: Say hello" in run(gateway, "php", "php/chat.php")


def test_a_refusal_is_told_and_not_thrown(gateway):
    script = {"provider": "google", "action": {"answer": {"row": "day_requests"}}, "times": None}
    house.call("POST", gateway["SIMULATOR"] + "/__sim/script", [script])
    try:
        assert "high demand" in run(gateway, "php", "php/chat.php")
    finally:
        house.call("DELETE", gateway["SIMULATOR"] + "/__sim/script")
        admin = {"authorization": f"Bearer {house.ADMIN}"}
        house.call("POST", gateway["KEYGATE_URL"] + "/api/google/reset-keys", None, admin)


def test_the_avatar_page_begins_a_session(gateway, tmp_path):
    with avatar_server(gateway) as page:
        status, _, html = house.call("GET", page)
        assert status == 200 and gateway["KEYGATE_URL"] + "/anam" in html and gateway["KEYGATE_TOKEN"] not in html
        status, _, minted = house.call("POST", page + "/session")
        assert status == 200, minted
    # What the SDK's apiGateway option makes of the token, from a page of another origin.
    headers = {
        "authorization": f"Bearer {minted['sessionToken']}",
        "X-Anam-Target-Url": "https://api.anam.ai/v1/engine/session",
        "origin": PAGE,
    }
    status, answered, session = house.call("POST", gateway["KEYGATE_URL"] + "/anam/v1/engine/session", {}, headers)
    assert status == 200 and session["sessionId"], session
    assert answered["access-control-allow-origin"] == PAGE


def avatar_server(gateway):
    class Server:
        def __enter__(self):
            environment = {"PATH": os.environ["PATH"], "PORT": "0", **PERSONA, **gateway}
            command = ["node", str(EXAMPLES / "browser-avatar" / "server.mjs")]
            self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
            line = self.process.stdout.readline()
            return line.removeprefix("open ").strip().replace("localhost", "127.0.0.1")

        def __exit__(self, *error):
            self.process.stdout.close()
            house.end(self.process)

    return Server()
