"""A bot that renews its session when keygate asks it to. Standard library only: python3 bot.py [PORT]"""
import hashlib, hmac, json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ["SESSION_KEEPER_SECRET"].encode()
state = {"renewed": 0}


def renew(credentials):
    """Log in anew here: stop the listener, build a new client, check it, start the listener again.
    Return "alive" if the session was good, "refreshed" if it is now, "needs_login" if a human must log in."""
    state["renewed"] += 1
    return "refreshed"


class Bot(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        at = self.headers.get("x-keygate-timestamp", "0")
        signed = "v1=" + hmac.new(SECRET, at.encode() + b"." + body, hashlib.sha256).hexdigest()
        is_ours = hmac.compare_digest(signed, self.headers.get("x-keygate-signature", ""))
        if not is_ours or abs(time.time() - int(at)) > 300:
            return self.answer(401, {"error": "wrong signature"})
        self.answer(200, {"status": renew(json.loads(body).get("credentials"))})

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 9000), Bot)
print(f"listening on {server.server_port}", flush=True)
server.serve_forever()
