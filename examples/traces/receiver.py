"""Prints the traces that keygate sends, each as a tree. Standard library only: python3 receiver.py [PORT]

It receives OTLP over HTTP (`telemetry.otlp.protocol: http`), reads as much of the protobuf messages as it prints, and
keeps nothing. For a look at a gateway on the same machine; Jaeger and its like are for everything else."""
import struct, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHOWN = ("http.response.status_code", "keygate.attempts", "keygate.key.id", "keygate.key.label", "keygate.skipped",
         "keygate.fault", "keygate.refusal", "gen_ai.input.messages", "gen_ai.output.messages")
KINDS = {1: "internal", 2: "server", 3: "client"}
spans, one_at_a_time = {}, threading.Lock()


def fields(message):
    """The fields of a protobuf message: number and value. Messages, texts and packed numbers are bytes."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        if key & 7 == 0:
            value, at = varint(message, at)
        elif key & 7 == 1:
            value, at = message[at:at + 8], at + 8
        elif key & 7 == 5:
            value, at = message[at:at + 4], at + 4
        else:
            length, at = varint(message, at)
            value, at = message[at:at + length], at + length
        yield key >> 3, value


def varint(message, at):
    value = shift = 0
    while True:
        byte, at = message[at], at + 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def every(message, number):
    return [value for field, value in fields(message) if field == number]


def value(any_value):
    """opentelemetry.proto.common.v1.AnyValue"""
    for field, told in fields(any_value):
        if field == 1:
            return told.decode()
        if field in (2, 3):
            return told
        if field == 4:
            return struct.unpack("<d", told)[0]
        if field == 5:
            return [value(one) for one in every(told, 1)]


def attributes(message, number):
    pairs = [dict(fields(pair)) for pair in every(message, number)]
    return {pair[1].decode(): value(pair.get(2, b"")) for pair in pairs}


def span(message):
    """opentelemetry.proto.trace.v1.Span"""
    told = dict(fields(message))
    started, ended = struct.unpack("<Q", told[7])[0], struct.unpack("<Q", told[8])[0]
    return {
        "trace": told[1].hex(), "id": told[2].hex(), "parent": told.get(4, b"").hex(), "name": told[5].decode(),
        "kind": KINDS.get(told.get(6), "?"), "started": started, "ms": (ended - started) / 1e6,
        "attributes": attributes(message, 9),
        "events": [(dict(fields(event))[2].decode(), attributes(event, 3)) for event in every(message, 11)],
    }


def show(one, depth=0):
    told = [f"{name}={one['attributes'][name]}" for name in SHOWN if name in one["attributes"]]
    print("  " * depth + f"{one['name']} ({one['kind']}, {one['ms']:.1f} ms) " + " ".join(told), flush=True)
    for name, said in one["events"]:
        told = [f"{key}={value}" for key, value in sorted(said.items()) if key.startswith("keygate.")]
        print("  " * (depth + 1) + f"! {name} " + " ".join(told), flush=True)
    below = [other for other in spans.values() if other["parent"] == one["id"]]
    for other in sorted(below, key=lambda other: other["started"]):
        show(other, depth + 1)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()
        if self.path == "/v1/traces":
            with one_at_a_time:
                self.take(body)

    def take(self, body):
        for resource in every(body, 1):
            for scope in every(resource, 2):
                spans.update({one["id"]: one for one in map(span, every(scope, 2))})
        # The span of a whole request ends last.
        for root in [one for one in spans.values() if one["kind"] == "server"]:
            print(f"trace {root['trace']} of the request {root['attributes'].get('keygate.request_id')}", flush=True)
            show(root)
            for done in [one["id"] for one in spans.values() if one["trace"] == root["trace"]]:
                del spans[done]

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 4318), Receiver)
print(f"waiting for traces on {server.server_port}", flush=True)
server.serve_forever()
