"""Receives webhooks, verifies them by Standard Webhooks 1.0 and prints each event once. Python 3.9 or later, no packages:

    SECRET=whsec_... PORT=3000 python3 receiver.py
"""

import base64
import hashlib
import hmac
import json
import os
import signal
import sys
import threading
import time
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ.get("SECRET", "")
if not SECRET.startswith("whsec_"):
    sys.exit("SECRET must be the endpoint's, whsec_...")
KEY = base64.b64decode(SECRET[len("whsec_") :])
# Older or newer than this is refused, so that a recorded request cannot be sent again later.
TOLERANCE_SECONDS = 300
MAX_BODY_BYTES = 1024 * 1024


def is_genuine(headers, body):
    event_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "")
    if not (event_id and timestamp.isascii() and timestamp.isdigit()):
        return False
    if abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    signed = f"{event_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    # While a secret is rotated there is a signature for each.
    return any(hmac.compare_digest(part.encode(), expected.encode()) for part in given.split(" "))


# Delivery is at least once. What must survive a restart belongs into the transaction that stores the event's effect, as a unique
# key; memory is enough where an effect may be repeated then.
MOST_REMEMBERED = 100_000
seen = OrderedDict()
one_at_a_time = threading.Lock()


def handle(event):
    """What you do with an event. Store it here and work on it later: an answer that takes over 15 s counts as failed."""
    data = json.dumps(event["data"], separators=(",", ":"), ensure_ascii=False)
    print(f"{event['type']} {event['sequence']} {data}", flush=True)


def events_in(body):
    """Several of an endpoint that takes batches: each by its own id, which is the webhook-id of one that comes alone."""
    said = json.loads(body)
    return said["events"] if isinstance(said.get("events"), list) else [said]


def handle_once(event):
    with one_at_a_time:
        if event["id"] in seen:
            return
        handle(event)
        # Only now: what failed is asked for again with a 500, and must not be taken for a repetition then.
        seen[event["id"]] = None
        if len(seen) > MOST_REMEMBERED:
            seen.popitem(last=False)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            return self.answer(413)
        # The bytes as they came: a JSON parser before the check would change them.
        body = self.rfile.read(int(length))
        if not is_genuine(self.headers, body):
            return self.answer(401)
        try:
            for event in events_in(body):
                handle_once(event)
        except Exception as error:  # 500 asks for the event again
            print(repr(error), file=sys.stderr, flush=True)
            return self.answer(500)
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "3000"))), Receiver)
for name in (signal.SIGINT, signal.SIGTERM):
    # shutdown() waits for serve_forever, which this very thread is in.
    signal.signal(name, lambda *_: threading.Thread(target=server.shutdown).start())
print(f"ready on port {server.server_port}", flush=True)
server.serve_forever()
