"""What the client does with answers that are made up, and, with HELIOGRAPH_URL and HELIOGRAPH_KEY, with a platform."""

import asyncio
import base64
import hashlib
import hmac
import inspect
import json
import os
import re
import time
from pathlib import Path

import httpx
import pytest

import heliograph
from heliograph import AsyncHeliograph, Heliograph

KEY = "ak_test_SECRETSECRET"
URL = "http://platform.test"
document = json.loads((Path(__file__).parents[3] / "schemas/openapi.json").read_text())
problem = {"content-type": "application/problem+json", "retry-after": "0"}


def client(handle, **settings):
    return Heliograph(KEY, URL, http=httpx.Client(transport=httpx.MockTransport(handle)), **settings)


def methods(group):
    own = ("close", "follow") if isinstance(group, (Heliograph, AsyncHeliograph)) else ()
    for name, value in inspect.getmembers(group):
        if name.startswith("_") or name in own:
            continue
        if inspect.ismethod(value):
            yield value
        else:
            yield from methods(value)


@pytest.mark.parametrize("kind", [Heliograph, AsyncHeliograph])
def test_every_operation_of_the_document_is_a_method_that_asks_for_just_it(kind):
    asked = set()

    def handle(request):
        path = re.sub(r"%3A(\w+)%3A", r"{\1}", request.url.raw_path.decode().split("?")[0])
        asked.add(f"{request.method} {path}")
        assert request.headers["authorization"] == f"Bearer {KEY}"
        return httpx.Response(200, json={"data": []})

    async def call_all(asynchronous):
        for method in methods(asynchronous or one):
            needed = [p for p in inspect.signature(method).parameters.values() if p.default is p.empty]
            args = [b"{}" if p.name == "body" else f":{p.name}:" for p in needed if p.kind is p.POSITIONAL_OR_KEYWORD]
            if "body" in {p.name for p in needed} and "content_type" not in {p.name for p in needed}:
                args[-1] = {"some": "thing"}
            found = method(*args, **{p.name: "x" for p in needed if p.kind is p.KEYWORD_ONLY})
            try:
                if hasattr(found, "page"):
                    found = found.page()
                if inspect.isawaitable(found):
                    await found
                elif inspect.isasyncgen(found):
                    await anext(found)
                elif inspect.isgenerator(found):
                    next(found)
            except heliograph.HeliographError as error:
                assert "no stream" in str(error)

    if kind is Heliograph:
        one = client(handle)
        asyncio.run(call_all(None))
    else:
        http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
        asyncio.run(call_all(AsyncHeliograph(KEY, URL, http=http)))
    wanted = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    assert asked == wanted


def test_what_is_not_certain_is_sent_again_with_the_key_of_its_first_attempt(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    keys = []

    def handle(request):
        keys.append(request.headers["idempotency-key"])
        if len(keys) == 1:
            raise httpx.ReadError("broken")
        if len(keys) == 2:
            return httpx.Response(503, json={"code": "log_unavailable"}, headers=problem)
        if len(keys) == 3:
            return httpx.Response(409, json={"code": "idempotency_in_progress"}, headers=problem)
        return httpx.Response(202, json={"status": "a status of next year"}, headers={"log-position": "42"})

    sent = client(handle).messages.send({"channel": "sms", "to": "+1", "text": "x"})
    assert sent["status"] == "a status of next year" and sent.log_position == "42"
    assert len(keys) == 4 and len(set(keys)) == 1


def test_a_refusal_is_not_sent_again_and_nothing_raised_has_the_key():
    seen = []

    def handle(request):
        seen.append(request)
        if len(seen) == 1:
            return httpx.Response(422, json={"code": "a_new_code", "detail": "Why.", "request_id": "req_1"}, headers=problem)
        if len(seen) == 2:
            return httpx.Response(429, json={"code": "rate_limited"}, headers={**problem, "retry-after": "1000000000"})
        return httpx.Response(502, text=f"your header was {KEY}", headers={"content-type": "text/html"})

    one = client(handle)
    with pytest.raises(heliograph.InvalidRequestError) as refused:
        one.contacts.create({"name": "Ada"})
    assert (refused.value.code, refused.value.request_id, str(refused.value)) == ("a_new_code", "req_1", "a_new_code (422): Why.")
    with pytest.raises(heliograph.RateLimitedError):
        one.contacts.create({"name": "Ada"})
    with pytest.raises(heliograph.ServerError) as broken:
        one.routing.explain({"channel": "sms", "to": "+1"})
    assert len(seen) == 3
    assert "SECRET" not in repr(one) + repr(broken.value) + str(vars(broken.value))


@pytest.mark.parametrize("text, seconds", [("120", 120), ("1000abc", None), ("-5", None), ("", None), (None, None)])
def test_retry_after(text, seconds):
    assert heliograph._core.retry_after_seconds(text) == seconds


def test_lists_end_go_on_over_empty_pages_and_do_not_run_in_circles():
    pages = {None: ([1], "a"), "a": ([], "b"), "b": ([2], None)}

    def handle(request):
        data, cursor = pages[request.url.params.get("after")]
        return httpx.Response(200, json={"data": data, "next_cursor": cursor})

    assert list(client(handle).contacts.list(tag="vip")) == [1, 2]
    pages["b"] = ([2], "a")
    with pytest.raises(heliograph.CursorError):
        list(client(handle).contacts.list())


def test_ids_that_would_lead_elsewhere_are_refused():
    for wrong in ("", ".", ".."):
        with pytest.raises(ValueError):
            client(lambda request: httpx.Response(200)).keys.delete(wrong)


def test_the_feed_goes_on_behind_the_last_event_and_polls_where_no_stream_comes_through(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    asked = []

    def told(sequence):
        return "id: %d\ndata: %s\n\n" % (sequence, json.dumps({"sequence": sequence, "type": "a.new_type"}))

    def handle(request):
        asked.append(f"{request.url.path.split('/')[-1]}?{request.url.params['after']}")
        if len(asked) == 1:
            return httpx.Response(200, text=": hello\n\n" + told(6) + told(7)[:-9], headers={"content-type": "text/event-stream"})
        if len(asked) == 2:
            return httpx.Response(200, text=told(6) + told(7), headers={"content-type": "text/event-stream"})
        if len(asked) == 3:
            return httpx.Response(200, text="<p>a proxy</p>", headers={"content-type": "text/html"})
        return httpx.Response(200, json={"data": [{"sequence": 8}], "next_after": 8})

    found = []
    for event in client(handle).follow(after=5):
        found.append(event["sequence"])
        if found[-1] == 8:
            break
    assert found == [6, 7, 8]
    assert asked == ["stream?5", "stream?6", "stream?7", "events?7"]


def test_the_feed_with_filters_and_a_place_that_is_kept(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    place, asked = {}, []

    def told(sequence, previous):
        return "id: %d\ndata: %s\n\n" % (sequence, json.dumps({"sequence": sequence, "previous_sequence": previous}))

    # Up to 900 the filter kept all back; then 920 is lost on the way.
    texts = ["id: 900\n\n", told(905, 900) + told(930, 920), told(920, 905) + told(930, 920) + told(940, 930)]

    def handle(request):
        if request.url.path.endswith("/me"):
            return httpx.Response(200, json={"sequence": place["me"]}) if place else httpx.Response(404, json={"code": "not_found"}, headers=problem)
        if request.url.path.endswith("/commit"):
            place["me"] = json.loads(request.content)["sequence"]
            return httpx.Response(200, json={})
        asked.append((request.url.params["after"], request.url.params["filters"]))
        return httpx.Response(200, text=texts.pop(0), headers={"content-type": "text/event-stream"})

    def read(follow):
        found = []
        for event in follow:
            found.append(event["sequence"])
            if found[-1] == 930:
                follow.close()
        return found

    assert read(client(handle).follow(after=5, filters={"tags": ["vip"]}, consumer="me")) == [905, 920, 930]
    assert asked == [(after, '{"tags": ["vip"]}') for after in ("5", "900", "905")]
    # Of the last nobody knows whether it was handled.
    assert place == {"me": 920}
    asked.clear()
    texts.append(told(930, 920))

    async def again():
        async with AsyncHeliograph(KEY, URL, http=httpx.AsyncClient(transport=httpx.MockTransport(handle))) as one:
            follow = one.follow(consumer="me", filters={})
            assert (await anext(follow))["sequence"] == 930
            await follow.aclose()

    asyncio.run(again())
    assert asked == [("920", "{}")]


def test_webhooks():
    secret = "whsec_" + base64.b64encode(b"k" * 24).decode()
    body, now = b'{"type":"message.sent"}', 1_800_000_000
    mac = hmac.new(b"k" * 24, b"evt_1.%d." % now + body, hashlib.sha256).digest()
    headers = {"Webhook-Id": "evt_1", "webhook-timestamp": str(now), "webhook-signature": "v1,AAAA v1," + base64.b64encode(mac).decode()}
    other = "whsec_" + base64.b64encode(b"o" * 24).decode()
    assert heliograph.verify_webhook(body, headers, [other, secret], now=now) == {"type": "message.sent"}
    for wrong in [(body + b" ", headers, secret, now), (body, headers, other, now), (body, headers, secret, now + 301), (body, {}, secret, now)]:
        with pytest.raises(heliograph.WebhookVerificationError):
            heliograph.verify_webhook(*wrong[:3], now=wrong[3])
    assert heliograph.verify_webhook_batch(body, headers, secret, now=now) == [{"type": "message.sent"}]
    with pytest.raises(TypeError, match="raw bytes needed"):
        heliograph.verify_webhook({"type": "message.sent"}, headers, secret, now=now)


def test_batches_of_webhooks():
    secret = "whsec_" + base64.b64encode(b"k" * 24).decode()
    body, now = b'{"events":[{"type":"message.sent"},{"type":"message.read"}]}', 1_800_000_000
    mac = hmac.new(b"k" * 24, b"whb_1.%d." % now + body, hashlib.sha256).digest()
    headers = {"webhook-id": "whb_1", "webhook-timestamp": str(now), "webhook-signature": "v1," + base64.b64encode(mac).decode()}
    events = heliograph.verify_webhook_batch(body, headers, secret, now=now)
    assert [event["type"] for event in events] == ["message.sent", "message.read"]
    with pytest.raises(heliograph.WebhookVerificationError):
        heliograph.verify_webhook_batch(body.replace(b"read", b"sent"), headers, secret, now=now)
    with pytest.raises(TypeError, match="verify_webhook_batch"):
        heliograph.verify_webhook(body, headers, secret, now=now)


live = pytest.mark.skipif("HELIOGRAPH_URL" not in os.environ, reason="HELIOGRAPH_URL names no platform")


@live
def test_the_contracts_examples():
    with Heliograph() as one:
        sent = one.messages.send({"channel": "sms", "to": "+15551230001", "text": "hello"}, idempotency_key="python-1")
        again = one.messages.send({"channel": "sms", "to": "+15551230001", "text": "hello"}, idempotency_key="python-1")
        assert again == sent and again.is_replayed
        assert one.messages.send({"channel": "sms", "to": "+15551230001", "text": "hello"}, wait=20)["status"] in ("sent", "delivered")
        assert one.messages.get(sent["id"])["to"] == "+15551230001"
        made = one.contacts.create({"name": "Guido"})
        read = one.contacts.get(made["id"])
        one.contacts.update(made["id"], {"name": "G."}, if_match=read.etag)
        with pytest.raises(heliograph.PreconditionFailedError):
            one.contacts.update(made["id"], {"name": "x"}, if_match=read.etag)
        assert any(contact["id"] == made["id"] for contact in one.contacts.list(limit=1, min_log_position=made.log_position))
        assert next(one.follow())["sequence"] == 1
        only = one.follow(filters={"channels": ["sms"]}, consumer="python")
        assert next(only)["data"]["channel"] == "sms"
        assert next(only)["previous_sequence"] >= 1
        only.close()
        assert one.event_consumers.get("python")["sequence"] >= 1
        with pytest.raises(heliograph.NotFoundError):
            one.messages.get("msg_01HNQX2P8Y9R3T4V5W6Z7A8B9C")


@live
def test_the_same_for_a_caller_who_awaits():
    async def run():
        async with AsyncHeliograph() as one:
            assert (await one.balance())["currency"] == "USD"
            async for event in one.follow(types=["message.queued"]):
                assert event["type"] == "message.queued"
                return
            raise AssertionError("the feed ended")

    asyncio.run(run())
