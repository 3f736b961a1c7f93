"""The gateway's own routes against their document: a fuzzer asks, and every answer must be documented."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import house

# The older packages that one client needs have no fuzzer beside them.
pytest.importorskip("schemathesis")

SECONDS = 240  # the fuzzer is bounded by its examples; this is for one that hangs


@pytest.fixture
def open_house(simulated, logs):
    """A gateway whose limits stay out of the fuzzer's way, and a token that may do everything."""
    token = house.client_token()
    config = json.loads(house.keygate_yaml(simulated))
    config["clients"]["tokens"] = [
        {"name": "fuzzer", "sha256": hashlib.sha256(token.encode()).hexdigest(), "scopes": ["admin"]}
    ]
    # It shows wrong tokens as well, more of them a minute than a gateway takes by default.
    config["limits"] = {
        "per_user": {"requests_per_minute": 1000000, "max_concurrent": 1000},
        "failed_logins_per_minute": 1000000,
    }
    folder = logs / "openapi"
    folder.mkdir()
    (folder / "keygate.yaml").write_text(json.dumps(config))
    command = ["keygate", "serve", "--config", str(folder / "keygate.yaml"), "--bind", "127.0.0.1:0", "--ready-json"]
    simulated.reset()
    with house.running("keygate", command, folder / "keygate.log", house.keygate_environment([])) as ready:
        yield ready["listening"], token


@pytest.mark.timeout(SECONDS + 30)
def test_every_answer_is_documented_whatever_is_asked(open_house, tmp_path):
    url, token = open_house
    command = [
        Path(sys.executable).parent / "schemathesis",
        *("--config-file", str(Path(__file__).parent / "schemathesis.toml"), "run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {token}"),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "30", "--seed", "1"),
        # CPython 3.11 cannot take two sources apart at once (gh-106905), and the fuzzer does so for its reports.
        *("--workers", "1"),
        *("--generation-database", "none", "--continue-on-failure", "--no-color", "--request-timeout", "30"),
    ]
    environment = {"NO_PROXY": "127.0.0.1", "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=SECONDS)
    assert run.returncode == 0, run.stdout[-12000:] + run.stderr[-2000:]
    assert re.search(r"(\d{3,}) generated, \1 passed", run.stdout), run.stdout[-4000:]


def test_the_document_is_served_without_a_token(gateway):
    status, headers, document = house.call("GET", f"{gateway.url}/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
    status, headers, page = house.call("GET", f"{gateway.url}/docs")
    assert status == 200 and headers["content-type"].startswith("text/html")
