"""The whole REST surface of Heliograph, typed: retries, cursors, the feed, webhooks."""

from __future__ import annotations

import os
from typing import Any, AsyncIterator, Iterator, Optional, Sequence, Union

import httpx

from . import _types as types
from ._async import AsyncOperations
from ._core import VERSION, AsyncCore, AsyncListing, Core, JsonObject, Listing
from ._errors import (
    AuthenticationError,
    ConflictError,
    ConnectionFailed,
    CursorError,
    HeliographError,
    InsufficientFundsError,
    InvalidRequestError,
    NotFoundError,
    NotModified,
    PermissionDenied,
    PreconditionFailedError,
    ProblemError,
    RateLimitedError,
    ServerError,
    TimedOut,
    WebhookVerificationError,
)
from ._sync import Operations
from ._webhooks import verify_webhook, verify_webhook_batch

__version__ = VERSION
__all__ = [
    "AsyncHeliograph", "AsyncListing", "AuthenticationError", "ConflictError", "ConnectionFailed", "CursorError", "Heliograph",
    "HeliographError", "InsufficientFundsError", "InvalidRequestError", "JsonObject", "Listing", "NotFoundError", "NotModified",
    "PermissionDenied", "PreconditionFailedError", "ProblemError", "RateLimitedError", "ServerError", "TimedOut",
    "WebhookVerificationError", "types", "verify_webhook", "verify_webhook_batch",
]  # fmt: skip


def _settings(key: Optional[str], base_url: Optional[str]) -> Any:
    return key or os.environ.get("HELIOGRAPH_KEY"), base_url or os.environ.get("HELIOGRAPH_URL", "")


class Heliograph(Operations):
    """The client of one key, for a caller who waits."""

    def __init__(self, key: Optional[str] = None, base_url: Optional[str] = None, *, timeout: float = 90, attempt_timeout: float = 35,
                 max_attempts: int = 4, http: Optional[httpx.Client] = None) -> None:  # fmt: skip
        super().__init__(Core(*_settings(key, base_url), timeout, attempt_timeout, max_attempts, http=http))

    def follow(self, after: int = 0, types: Union[None, str, Sequence[str]] = None, filters: "Optional[types.WebhookFilters]" = None,
               consumer: Optional[str] = None) -> Iterator["types.LifecycleEvent"]:  # fmt: skip
        """Every event behind ``after``, once and in order, for ever. Connects again by itself. With ``consumer`` the platform keeps under that name where you
        are: an event counts as handled when you ask for the next one, and ``after`` is where a new one begins."""
        return self._core.follow(after, types, filters, consumer)

    def close(self) -> None:
        self._core.http.close()

    def __enter__(self) -> "Heliograph":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._core)


class AsyncHeliograph(AsyncOperations):
    """The same for a caller who awaits."""

    def __init__(self, key: Optional[str] = None, base_url: Optional[str] = None, *, timeout: float = 90, attempt_timeout: float = 35,
                 max_attempts: int = 4, http: Optional[httpx.AsyncClient] = None) -> None:  # fmt: skip
        super().__init__(AsyncCore(*_settings(key, base_url), timeout, attempt_timeout, max_attempts, http=http))

    def follow(self, after: int = 0, types: Union[None, str, Sequence[str]] = None, filters: "Optional[types.WebhookFilters]" = None,
               consumer: Optional[str] = None) -> AsyncIterator["types.LifecycleEvent"]:  # fmt: skip
        """Every event behind ``after``, once and in order, for ever. Connects again by itself. With ``consumer`` the platform keeps under that name where you
        are: an event counts as handled when you ask for the next one, and ``after`` is where a new one begins."""
        return self._core.follow(after, types, filters, consumer)

    async def close(self) -> None:
        await self._core.http.aclose()

    async def __aenter__(self) -> "AsyncHeliograph":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return repr(self._core)
