"""What Prometheus reads, by Prometheus' own parsers, and the files that are shipped for it and for Grafana."""

import json
import re
import time
import urllib.request

import promql_parser
import pytest
import yaml
from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import parser as openmetrics_parser

import house

DEPLOY = house.ROOT / "deploy"
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def scrape(gateway, accept="text/plain"):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(f"{gateway.url}/metrics", headers={"accept": accept})) as answer:
        return answer.headers["content-type"], answer.read().decode()


def chat(door, **headers):
    body = {"contents": [{"parts": [{"text": "hello"}]}]}
    url = f"{door.google}/v1beta/models/gemini-2.5-flash:generateContent"
    return house.call("POST", url, body, {"x-goog-api-key": door.google_key, **headers})


def test_prometheus_reads_the_text(keygate, gateway):
    assert chat(keygate)[0] == 200
    kind, text = scrape(gateway)
    assert kind.startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_parser.text_string_to_metric_families(text)}
    requests = families["keygate_requests"]
    assert requests.type == "counter" and requests.documentation
    assert sum(sample.value for sample in requests.samples if sample.labels["provider"] == "google") >= 1
    duration = families["keygate_request_duration_seconds"]
    assert duration.type == "histogram"
    assert_buckets_grow(duration)
    assert families["gemini_available_keys"].samples[0].value == 3


def test_prometheus_reads_openmetrics_with_exemplars(keygate, traced_gateway):
    door = house.through(traced_gateway, keygate.sim)
    assert chat(door, traceparent=f"00-{TRACE}-b7ad6b7169203331-01")[0] == 200
    kind, text = scrape(traced_gateway, OPENMETRICS)
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in openmetrics_parser.text_string_to_metric_families(text)}
    assert_buckets_grow(families["keygate_request_duration_seconds"])
    exemplars = [s.exemplar for s in families["keygate_request_duration_seconds"].samples if s.exemplar]
    assert TRACE in [exemplar.labels["trace_id"] for exemplar in exemplars]


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_collector_receives_the_numbers(simulated, logs, protocol):
    with house.collecting(logs / f"rotel-metrics-{protocol}.log", "metrics") as collector:
        endpoint = collector.grpc if protocol == "grpc" else collector.http
        otlp = {"endpoint": endpoint, "protocol": protocol, "metrics": {"enabled": True, "interval": "1s"}}
        with house.gateway_in(logs / f"metrics-{protocol}", simulated, telemetry={"otlp": otlp}) as gateway:
            assert chat(house.through(gateway, simulated))[0] == 200
            told = told_to(collector, "keygate_requests_total")
    for part in ("generate_content", "200", "CUMULATIVE"):
        assert part in told["keygate_requests_total"], told["keygate_requests_total"]
    assert {"keygate_request_duration_seconds", "keygate_keys", "keygate_limiter_users"} <= set(told)


def told_to(collector, name):
    """The numbers by name once this one is there, each as the collector printed it."""
    deadline = time.monotonic() + house.PATIENCE
    while time.monotonic() < deadline:
        text = collector.log.read_text(errors="replace")
        metrics = re.split(r"(?m)^Metric #\d+", text)[1:]
        told = {re.search(r"Name\s*: (.+)", metric).group(1).strip(): metric for metric in metrics}
        if name in told:
            return told
        time.sleep(0.05)
    raise AssertionError(f"{name} did not come:\n{text[-4000:]}")


def assert_buckets_grow(family):
    """Each range holds what the smaller ones hold, and the last one everything."""
    series = {}
    for sample in family.samples:
        labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
        series.setdefault(labels, {}).setdefault(sample.name, []).append(sample)
    assert series
    for samples in series.values():
        buckets = [sample.value for sample in samples[family.name + "_bucket"]]
        assert buckets == sorted(buckets)
        assert buckets[-1] == samples[family.name + "_count"][0].value


def test_the_alerts_are_rules_that_prometheus_reads():
    rules = yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text())
    names = []
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, rule
            promql_parser.parse(rule["expr"])
            assert rule["labels"]["severity"] in ("warning", "critical"), rule
            assert set(rule["annotations"]) == {"summary", "description"}, rule
            assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s")), rule
            names.append(rule["alert"])
    assert len(names) == len(set(names)) > 10


def test_the_example_configuration_loads_the_rules():
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    assert config["rule_files"] == ["rules.yml"]
    assert [job["job_name"] for job in config["scrape_configs"]] == ["keygate"]


def test_the_dashboard_asks_what_prometheus_reads():
    dashboard = json.loads((DEPLOY / "grafana/keygate.json").read_text())
    rows = [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"]
    assert rows == ["Traffic", "Pool", "Budgets", "Tokens", "Latency", "Faults", "House-keeping"]
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval", "__range"}
            assert used <= variables, target
            promql_parser.parse(re.sub(r"\$__\w+", "5m", target["expr"]))
    for provisioned in ("datasources", "dashboards"):
        assert yaml.safe_load((DEPLOY / f"grafana/provisioning/{provisioned}/keygate.yaml").read_text())["apiVersion"] == 1
