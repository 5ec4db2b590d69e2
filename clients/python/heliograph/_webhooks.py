"""Standard Webhooks 1.0."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import Any, List, Mapping, Optional, Sequence, Union

from ._errors import WebhookVerificationError
from ._types import LifecycleEvent

_MOST_SIGNATURES = 20


def _key_of(secret: str) -> bytes:
    try:
        if secret.startswith("whsec_"):
            return base64.b64decode(secret[6:], validate=True)
    except binascii.Error:
        pass
    raise ValueError("a webhook secret is whsec_ and base64")


def _verified(body: Union[bytes, str], headers: Mapping[str, str], secrets: Union[str, Sequence[str]],
              tolerance_seconds: float, now: Optional[float]) -> Any:  # fmt: skip
    """What a request says."""
    if not isinstance(body, (bytes, str)):
        raise TypeError("raw bytes needed: give the body as it came, before a JSON parser")
    raw = body.encode() if isinstance(body, str) else body
    found = {name.lower(): value for name, value in headers.items()}
    event_id, timestamp, given = (found.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not event_id or not given or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise WebhookVerificationError("webhook-id, webhook-timestamp or webhook-signature is missing or no such thing")
    if abs((time.time() if now is None else now) - int(timestamp)) > tolerance_seconds:
        raise WebhookVerificationError("webhook-timestamp is too far from now")
    signed = f"{event_id}.{timestamp}.".encode() + raw
    known = [secrets] if isinstance(secrets, str) else secrets
    expected = [b"v1," + base64.b64encode(hmac.new(_key_of(one), signed, hashlib.sha256).digest()) for one in known]
    genuine = False
    for signature in given.split(" ")[:_MOST_SIGNATURES]:
        for one in expected:
            genuine = hmac.compare_digest(signature.encode(), one) or genuine
    if not genuine:
        raise WebhookVerificationError("no signature is by one of the secrets")
    return json.loads(raw)


def _is_batch(said: Any) -> bool:
    return isinstance(said, dict) and isinstance(said.get("events"), list)


def verify_webhook(body: Union[bytes, str], headers: Mapping[str, str], secrets: Union[str, Sequence[str]], *,
                   tolerance_seconds: float = 300, now: Optional[float] = None) -> LifecycleEvent:  # fmt: skip
    """The event, when one of the secrets signed it. ``body`` is what came, byte for byte: a parsed one cannot be verified."""
    said = _verified(body, headers, secrets, tolerance_seconds, now)
    if _is_batch(said):
        raise TypeError("a batch of events: verify_webhook_batch gives them all")
    event: LifecycleEvent = said
    return event


def verify_webhook_batch(body: Union[bytes, str], headers: Mapping[str, str], secrets: Union[str, Sequence[str]], *,
                         tolerance_seconds: float = 300, now: Optional[float] = None) -> List[LifecycleEvent]:  # fmt: skip
    """The events of a request, the oldest first, of an endpoint that takes batches or takes none: one while you change over."""
    said = _verified(body, headers, secrets, tolerance_seconds, now)
    events: List[LifecycleEvent] = said["events"] if _is_batch(said) else [said]
    return events
