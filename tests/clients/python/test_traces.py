"""Traces as a collector of somebody else's receives them, over both transports."""

import re
import time

import pytest

import house

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def trace_in(collector, trace):
    """The spans of a trace once its root is there: name by name, the text that the collector printed."""
    deadline = time.monotonic() + house.PATIENCE
    while time.monotonic() < deadline:
        text = collector.log.read_text(errors="replace")
        spans = [span for span in re.split(r"(?m)^Span #\d+", text)[1:] if trace in span]
        named = {re.search(r"Name\s*: (.+)", span).group(1).strip(): span for span in spans}
        if any(name.startswith("POST ") for name in named):
            return named
        time.sleep(0.05)
    raise AssertionError(f"the trace did not come:\n{collector.log.read_text(errors='replace')[-4000:]}")


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_collector_receives_the_story_of_a_request(simulated, logs, collector, protocol):
    simulated.reset()
    endpoint = collector.grpc if protocol == "grpc" else collector.http
    otlp = {"endpoint": endpoint, "protocol": protocol}
    trace = TRACE[:-1] + ("6" if protocol == "grpc" else "7")
    with house.gateway_in(logs / f"traces-{protocol}", simulated, telemetry={"otlp": otlp}) as gateway:
        body = {"contents": [{"parts": [{"text": "a secret prompt"}]}]}
        headers = {"x-goog-api-key": gateway.fresh_token(), "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        url = f"{gateway.url}/v1beta/models/gemini-2.5-flash:generateContent"
        assert house.call("POST", url, body, headers)[0] == 200
        spans = trace_in(collector, trace)
    assert set(spans) == {
        "POST /{version}/models/{model}:generateContent",
        "admit",
        "acquire google",
        "generate_content gemini-2.5-flash",
    }
    root = spans["POST /{version}/models/{model}:generateContent"]
    assert "00f067aa0ba902b7" in root, "the caller's span is the parent"
    attempt = spans["generate_content gemini-2.5-flash"]
    for told in ("gen_ai.provider.name", "gcp.gemini", "gen_ai.usage.input_tokens", "keygate.key.id"):
        assert told in attempt, attempt
    whole = collector.log.read_text(errors="replace")
    assert "a secret prompt" not in whole and "sim-google-" not in whole and "kg_" not in whole
