"""Two doors for every test: straight to the simulated providers, and through keygate to the same providers."""

import os

import pytest

import certificates
import house

# What a developer's machine says about real accounts and proxies is none of the SDKs' business here.
for name in list(os.environ):
    if name.startswith(("GOOGLE_", "GEMINI_", "OPENAI_", "ANAM_")) or name.lower().endswith("_proxy"):
        del os.environ[name]

LOGS = pytest.StashKey()


@pytest.fixture(scope="session")
def logs(request, tmp_path_factory):
    folder = request.config.stash[LOGS] = tmp_path_factory.mktemp("logs")
    return folder


@pytest.fixture(scope="session")
def simulated(logs):
    with house.running("simulator", ["keygate-simulator"], logs / "simulator.log") as urls:
        yield house.Simulator(urls["google"], urls["anam"], urls["engine"])


@pytest.fixture(scope="session")
def gateway(simulated, logs):
    tokens = [house.client_token() for _ in range(house.CLIENT_TOKENS)]
    config = logs / "keygate.yaml"
    config.write_text(house.keygate_yaml(simulated))
    command = ["keygate", "serve", "--config", str(config), "--bind", "127.0.0.1:0", "--ready-json"]
    with house.running("keygate", command, logs / "keygate.log", house.keygate_environment(tokens)) as ready:
        yield house.Keygate(ready["listening"], tokens)


@pytest.fixture(scope="session")
def tls_gateway(simulated, logs):
    """The same with a certificate."""
    # A folder of its own: a database belongs to one gateway.
    folder = logs / "tls"
    folder.mkdir()
    certificates.write(folder)
    tokens = [house.client_token() for _ in range(house.CLIENT_TOKENS)]
    config = folder / "keygate.yaml"
    config.write_text(house.keygate_yaml(simulated, tls={"cert": "cert.pem", "key": "key.pem"}))
    command = ["keygate", "serve", "--config", str(config), "--bind", "127.0.0.1:0", "--ready-json"]
    with house.running("keygate", command, folder / "keygate.log", house.keygate_environment(tokens)) as ready:
        yield house.Keygate(ready["listening"], tokens), str(folder / "ca.pem")


@pytest.fixture(scope="session")
def collector(logs):
    """A collector of traces that is none of ours."""
    with house.collecting(logs / "rotel.log") as running:
        yield running


@pytest.fixture
def traced_gateway(simulated, logs, collector):
    """A gateway that sends its traces there."""
    otlp = {"endpoint": collector.grpc}
    with house.gateway_in(logs / "traced", simulated, telemetry={"otlp": otlp}) as gateway:
        yield gateway


@pytest.fixture
def sim(simulated):
    """The simulator as it was born: nothing scripted, nothing counted, no quota used."""
    simulated.reset()
    return simulated


@pytest.fixture
def keygate(sim, gateway):
    """The door through keygate, every key usable."""
    yield house.through(gateway, sim)
    assert_only_pool_keys_were_sent(sim)


@pytest.fixture
def secure_keygate(sim, tls_gateway, monkeypatch):
    """The same door with a certificate, whose authority the SDKs find where OpenSSL looks for it."""
    gateway, ca = tls_gateway
    monkeypatch.setenv("SSL_CERT_FILE", ca)
    return house.through(gateway, sim)


@pytest.fixture(params=["direct", "keygate"])
def door(request, sim):
    """Each test that takes it runs twice."""
    if request.param == "keygate":
        return request.getfixturevalue("keygate")
    return house.straight(sim)


def assert_only_pool_keys_were_sent(sim):
    """Whatever the client did: each request carried one credential, and it was a key of the pool or a session
    token of the provider's own. The simulator names credentials it does not know `unknown`."""
    known = {*house.GOOGLE_KEYS, *house.ANAM_KEYS}
    for provider in ("google", "anam"):
        for record in sim.requests(provider):
            labels = [seen["label"] for seen in record["credentials"]]
            if record["operation"] == "files.upload" and not labels:
                continue  # an upload is continued by its id alone
            if record["operation"] in ("signalling", "talk") and not labels:
                continue  # An engine takes none: knowing the session is the right to speak with it.
            assert len(labels) == 1, f"{record['path']} carried {record['credentials']}"
            assert labels[0] in known or labels[0].startswith("session token of "), labels
            assert "kg_" not in repr(record), f"a gateway token reached the provider: {record}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """The logs of the processes, beside the failure they may explain."""
    report = (yield).get_result()
    folder = item.config.stash.get(LOGS, None)
    if report.failed and folder:
        for log in sorted(folder.rglob("*.log")):
            report.sections.append((log.name, log.read_text(errors="replace")[-6000:]))
