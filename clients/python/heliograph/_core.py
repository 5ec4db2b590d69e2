"""A call with its attempts, lists over cursors and the feed, for callers who wait and for callers who await."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
import uuid
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, AsyncIterator, Dict, Generic, Iterator, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union
from urllib.parse import quote

import httpx

from ._errors import ConnectionFailed, CursorError, HeliographError, NotModified, ProblemError, TimedOut, problem_error

VERSION = "0.1.0"
#: Refused before anything was done, or by something between us and the platform.
_PASSING = {429, 502, 503, 504}
#: The platform says something every 15 s: three times that without a word is a connection that nobody holds.
_SILENCE_SECONDS = 45.0
_POLL_SECONDS = 25
_MOST_FRUITLESS = 3
Entry = TypeVar("Entry")


class JsonObject(dict):  # type: ignore[type-arg]
    """An answer: a dict that also says what came beside its body."""

    request_id: Optional[str] = None
    log_position: Optional[str] = None
    etag: Optional[str] = None
    is_replayed: bool = False


def retry_after_seconds(header: Optional[str]) -> Optional[float]:
    """Whole seconds, or a date of HTTP. Anything else says nothing."""
    text = (header or "").strip()
    if re.fullmatch(r"[0-9]+", text):
        return float(text)
    if not re.fullmatch(r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT", text):
        return None
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(timezone.utc)).total_seconds())
    except (TypeError, ValueError):
        return None


def pause_seconds(attempt: int) -> float:
    return min(8.0, 0.5 * 2.0 ** (attempt - 1)) * (0.5 + random.random() / 2)


def path_of(template: str, params: Sequence[Union[str, int]]) -> str:
    """The path with its ids. Raises for one that would lead to another resource."""
    rest = iter(params)

    def put(_: "re.Match[str]") -> str:
        value = str(next(rest))
        if value in ("", ".", ".."):
            raise ValueError("an id must be a text that is not empty")
        return quote(value, safe="")

    return re.sub(r"\{\w+\}", put, template)


def query_of(query: Mapping[str, Any]) -> Dict[str, str]:
    def text(value: Any) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        return value if isinstance(value, str) else ",".join(value) if isinstance(value, (list, tuple)) else str(value)

    return {name: text(value) for name, value in query.items() if value is not None}


def error_of(response: httpx.Response) -> HeliographError:
    """What is no problem document, say a proxy's page, is not shown: nobody knows what stands in it."""
    if response.status_code == 304:
        return NotModified("It has not changed.")
    problem: Any = None
    if "json" in response.headers.get("content-type", ""):
        try:
            problem = response.json()
        except ValueError:
            pass
    return problem_error(
        response.status_code,
        problem if isinstance(problem, dict) else {},
        response.headers.get("request-id"),
        retry_after_seconds(response.headers.get("retry-after")),
    )


def content_of(response: httpx.Response) -> Any:
    kind = response.headers.get("content-type", "")
    if response.status_code == 204:
        return None
    if "json" in kind and "ndjson" not in kind:
        found = response.json()
        if not isinstance(found, dict):
            return found
        answer = JsonObject(found)
        answer.request_id = response.headers.get("request-id")
        answer.log_position = response.headers.get("log-position")
        answer.etag = response.headers.get("etag")
        answer.is_replayed = response.headers.get("idempotent-replayed") == "true"
        return answer
    return response.text if kind.startswith("text/") or "ndjson" in kind else response.content


class _Attempts:
    """One call: what is sent, the same each time, and what follows from an outcome."""

    def __init__(self, core: "_Settings", method: str, path: str, params: Sequence[Union[str, int]], query: Mapping[str, Any], *,
                 body: Any = None, kind: str = "json", content_type: Optional[str] = None, keyed: bool = False,
                 idempotency_key: Optional[str] = None, wait: Optional[int] = None, if_match: Optional[str] = None,
                 if_none_match: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> None:  # fmt: skip
        self.what = f"{method} {path}"
        self.key = (idempotency_key or str(uuid.uuid4())) if keyed else None
        headers = {
            "accept": "application/json, */*;q=0.5", "idempotency-key": self.key, "if-match": if_match, "if-none-match": if_none_match,
            "min-log-position": min_log_position, "prefer": None if wait is None else f"wait={wait}",
        }  # fmt: skip
        types = {"json": "application/json", "form": "application/x-www-form-urlencoded", "bytes": content_type}
        if body is not None:
            headers["content-type"] = types[kind]
        content = body if kind == "bytes" else str(httpx.QueryParams(body)) if kind == "form" else json.dumps(body)
        self.request: Dict[str, Any] = {
            "method": method, "url": core.base_url + path_of(path, params), "params": query_of(query),
            "headers": {name: value for name, value in headers.items() if value is not None},
            "content": None if body is None else content,
        }  # fmt: skip
        # Without a key, a second one could do it a second time.
        self.is_repeatable = method == "GET" or self.key is not None
        self.until = time.monotonic() + (core.timeout if timeout is None else timeout)
        self.most = core.max_attempts
        self.attempt_timeout = core.attempt_timeout
        self.number = 0

    def time_left(self) -> float:
        return max(0.001, min(self.attempt_timeout, self.until - time.monotonic()))

    def pause_after(self, error: HeliographError) -> float:
        """Seconds until the next attempt. Raises the error when there is none."""
        self.number += 1
        asked = error.retry_after if isinstance(error, ProblemError) else None
        if isinstance(error, ProblemError):
            # Our own first attempt is still at work there: its answer is what we want.
            ours = error.status == 409 and error.code == "idempotency_in_progress"
            again = ours or error.status in (429, 503) or (self.is_repeatable and error.status in _PASSING)
        else:
            again = isinstance(error, ConnectionFailed) and self.is_repeatable
        seconds = pause_seconds(self.number) if asked is None else asked
        if not again or self.number >= self.most or time.monotonic() + seconds >= self.until:
            raise error
        return seconds

    def failed(self, cause: Exception) -> ConnectionFailed:
        if isinstance(cause, (httpx.TimeoutException, asyncio.TimeoutError)):
            return TimedOut(f"{self.what}: no answer in time", self.key)
        return ConnectionFailed(f"{self.what}: no connection, or it broke", self.key)


class _Settings:
    def __init__(self, key: Optional[str], base_url: str, timeout: float, attempt_timeout: float, max_attempts: int) -> None:
        if key is not None and not re.fullmatch(r"[\x21-\x7e]+", key):
            raise ValueError("the key is empty or has a character that no key has")
        if not re.match(r"https?://[^/@]+", base_url or ""):
            raise ValueError("base_url must be the platform's address, or HELIOGRAPH_URL")
        self.base_url = re.sub(r"/api/v1$", "", base_url.rstrip("/"))
        self.timeout, self.attempt_timeout, self.max_attempts = timeout, attempt_timeout, max_attempts
        self.headers = {"user-agent": f"heliograph-python/{VERSION}"}
        if key is not None:
            self.headers["authorization"] = f"Bearer {key}"

    def __repr__(self) -> str:
        return f"Heliograph({self.base_url})"

    def stream_request(self, after: Optional[int], types: Any, consumer: Optional[str], filters: Optional[str]) -> Dict[str, Any]:
        return {
            "method": "GET", "url": f"{self.base_url}/api/v1/events/stream", "params": query_of({"after": after, "types": types, "consumer": consumer, "filters": filters}),
            "headers": {"accept": "text/event-stream"}, "timeout": httpx.Timeout(30.0, read=_SILENCE_SECONDS),
        }  # fmt: skip


class _Events:
    """Lines of a stream to events (HTML, section 9.2)."""

    def __init__(self) -> None:
        self.data: List[str] = []
        self.id: Optional[int] = None

    def line(self, line: str) -> Any:
        """An event; a number, where up to there is none of those asked for; else None."""
        if line == "":
            text, told, self.data, self.id = self.data, self.id, [], None
            return json.loads("\n".join(text)) if text else told
        if line.startswith("data:"):
            self.data.append(line[5:].removeprefix(" "))
        elif re.fullmatch(r"id: ?[0-9]{1,15}", line):
            self.id = int(line[3:])
        return None


class _NoStream(HeliographError):
    pass


def _check_stream(response: httpx.Response) -> None:
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        raise _NoStream("The answer is no stream.")


class _Follow:
    """Where a reader of the feed is, and what it does next. A consumer's place is kept at the platform."""

    def __init__(self, after: int, types: Any, filters: Optional[Mapping[str, Any]], consumer: Optional[str]) -> None:
        self.after, self.types, self.consumer = after, types, consumer
        self.filters = None if filters is None else json.dumps(filters)
        self.last: Optional[int] = after if consumer is None else None
        self.failures, self.fruitless, self.streams_from = 0, 0, 0.0
        self.handled: Optional[int] = None
        self.kept_at = time.monotonic()

    def query(self) -> Dict[str, Any]:
        return {"after": self.last, "types": self.types, "filters": self.filters}

    def to_keep(self, at_once: bool = False) -> Optional[int]:
        """Up to where is to be kept now: once a second, and at the end."""
        if self.consumer is None or not (at_once or time.monotonic() - self.kept_at >= 1):
            return None
        handled, self.handled = self.handled, None
        return handled

    def kept(self, sequence: int, is_kept: bool) -> None:
        self.kept_at = time.monotonic()
        if not is_kept and self.handled is None:
            self.handled = sequence

    def streams(self) -> bool:
        return time.monotonic() >= self.streams_from and self.fruitless < _MOST_FRUITLESS

    def is_new(self, told: Any) -> bool:
        """Whether it is an event that did not come before. Raises where one was lost on the way."""
        if told is None:
            return False
        self.failures = self.fruitless = 0
        is_event = not isinstance(told, int)
        sequence, last = told["sequence"] if is_event else told, self.last or 0
        if sequence <= last:
            return False
        previous = told.get("previous_sequence", last) if is_event else last
        if previous > last:
            raise HeliographError(f"Nothing came between {last} and {previous}.")
        self.last = sequence
        return is_event

    def done(self) -> None:
        """Asked for the next one: all up to here is handled."""
        self.handled = self.last

    def pause_after(self, error: Exception) -> float:
        """Seconds until the next connection. Raises what another one would not change."""
        if isinstance(error, ProblemError):
            if error.status < 500 and error.status not in (408, 429) and error.code != "conflict":
                raise error
        elif not isinstance(error, (HeliographError, httpx.HTTPError)):
            raise error
        if isinstance(error, _NoStream) or (isinstance(error, ProblemError) and error.status == 429):
            self.streams_from = time.monotonic() + 60
        if isinstance(error, _NoStream):
            return 0
        self.failures += 1
        self.fruitless += 1
        asked = error.retry_after if isinstance(error, ProblemError) else None
        return pause_seconds(self.failures) if asked is None else min(60.0, asked)


def _next_cursor(page: Mapping[str, Any], seen: set) -> Optional[str]:  # type: ignore[type-arg]
    cursor = page.get("next_cursor")
    if cursor is not None and cursor in seen:
        raise CursorError("The list gave a cursor for a second time.")
    seen.add(cursor)
    return cursor


class Listing(Generic[Entry]):
    """The entries of a list, page after page. Nothing is asked before something is read."""

    def __init__(self, read: Any) -> None:
        self._read = read

    def page(self) -> Any:
        return self._read(None)

    def pages(self) -> Iterator[Any]:
        seen: set = set()  # type: ignore[type-arg]
        cursor: Optional[str] = None
        while True:
            page = self._read(cursor)
            yield page
            cursor = _next_cursor(page, seen)
            if cursor is None:
                return

    def __iter__(self) -> Iterator[Entry]:
        for page in self.pages():
            yield from page["data"]


class AsyncListing(Generic[Entry]):
    """The same for a caller who awaits."""

    def __init__(self, read: Any) -> None:
        self._read = read

    async def page(self) -> Any:
        return await self._read(None)

    async def pages(self) -> AsyncIterator[Any]:
        seen: set = set()  # type: ignore[type-arg]
        cursor: Optional[str] = None
        while True:
            page = await self._read(cursor)
            yield page
            cursor = _next_cursor(page, seen)
            if cursor is None:
                return

    async def __aiter__(self) -> AsyncIterator[Entry]:
        async for page in self.pages():
            for entry in page["data"]:
                yield entry


class Core(_Settings):
    def __init__(self, *settings: Any, http: Optional[httpx.Client] = None) -> None:
        super().__init__(*settings)
        self.http = http or httpx.Client(follow_redirects=False)

    def call(self, method: str, path: str, params: Tuple[Any, ...], query: Mapping[str, Any], **given: Any) -> Any:
        attempts = _Attempts(self, method, path, params, query, **given)
        while True:
            try:
                headers = {**self.headers, **attempts.request["headers"]}
                response = self.http.request(**{**attempts.request, "headers": headers}, timeout=attempts.time_left())
                if response.is_success:
                    return content_of(response)
                error: HeliographError = error_of(response)
            except (httpx.HTTPError, ValueError) as cause:
                error = attempts.failed(cause)
            time.sleep(attempts.pause_after(error))

    def listing(self, method: str, path: str, params: Tuple[Any, ...], query: Mapping[str, Any], **given: Any) -> Listing[Any]:
        def read(cursor: Optional[str]) -> Any:
            return self.call(method, path, params, query if cursor is None else {**query, "after": cursor}, **given)

        return Listing(read)

    def stream(self, after: Optional[int] = None, types: Any = None, consumer: Optional[str] = None,
               filters: Optional[str] = None, timeout: Optional[float] = None) -> Iterator[Any]:  # fmt: skip
        """One connection of the stream, to its end."""
        for told in self._streamed(after, types, consumer, filters):
            if isinstance(told, dict):
                yield told

    def _streamed(self, after: Optional[int], types: Any, consumer: Optional[str], filters: Optional[str]) -> Iterator[Any]:
        request = self.stream_request(after, types, consumer, filters)
        with self.http.stream(**{**request, "headers": {**self.headers, **request["headers"]}}) as response:
            if not response.is_success:
                response.read()
                raise error_of(response)
            _check_stream(response)
            events = _Events()
            for line in response.iter_lines():
                yield events.line(line)

    def _polled(self, query: Mapping[str, Any]) -> Iterator[Any]:
        until = time.monotonic() + 60
        after, wait = query["after"], 0
        while time.monotonic() < until:
            page = self.call("GET", "/api/v1/events", (), {**query, "after": after, "wait": wait})
            yield from page["data"]
            after, wait = page["next_after"], _POLL_SECONDS
            yield after

    def _place(self, state: _Follow) -> int:
        try:
            return int(self.call("GET", "/api/v1/event-consumers/{name}", (state.consumer,), {})["sequence"])
        except ProblemError as error:
            if error.status != 404:
                raise
        self._commit(state, state.after)
        return state.after

    def _commit(self, state: _Follow, sequence: int) -> None:
        self.call("POST", "/api/v1/event-consumers/{name}/commit", (state.consumer,), {}, body={"sequence": sequence}, keyed=True, timeout=5)

    def _keep(self, state: _Follow, at_once: bool = False) -> None:
        sequence = state.to_keep(at_once)
        if sequence is None:
            return
        try:
            self._commit(state, sequence)
            state.kept(sequence, True)
        except HeliographError:
            state.kept(sequence, False)

    def follow(self, after: int = 0, types: Any = None, filters: Optional[Mapping[str, Any]] = None,
               consumer: Optional[str] = None) -> Iterator[Any]:  # fmt: skip
        """Every event behind ``after``, once and in order, for ever, over connections that break."""
        state = _Follow(after, types, filters, consumer)
        try:
            while True:
                streams = state.streams()
                try:
                    if state.last is None:
                        state.last = self._place(state)
                    query = state.query()
                    for told in self._streamed(state.last, types, None, state.filters) if streams else self._polled(query):
                        if state.is_new(told):
                            yield told
                        state.done()
                        self._keep(state)
                    if not streams:
                        state.fruitless = 0
                        continue
                    error: Exception = HeliographError("The stream ended.")
                except (HeliographError, httpx.HTTPError) as raised:
                    error = raised
                time.sleep(state.pause_after(error))
        finally:
            self._keep(state, at_once=True)


class AsyncCore(_Settings):
    def __init__(self, *settings: Any, http: Optional[httpx.AsyncClient] = None) -> None:
        super().__init__(*settings)
        self.http = http or httpx.AsyncClient(follow_redirects=False)

    async def call(self, method: str, path: str, params: Tuple[Any, ...], query: Mapping[str, Any], **given: Any) -> Any:
        attempts = _Attempts(self, method, path, params, query, **given)
        while True:
            try:
                headers = {**self.headers, **attempts.request["headers"]}
                left = attempts.time_left()
                sending = self.http.request(**{**attempts.request, "headers": headers}, timeout=left)
                response = await asyncio.wait_for(sending, left)
                if response.is_success:
                    return content_of(response)
                error: HeliographError = error_of(response)
            except (httpx.HTTPError, ValueError, asyncio.TimeoutError) as cause:
                error = attempts.failed(cause)
            await asyncio.sleep(attempts.pause_after(error))

    def listing(self, method: str, path: str, params: Tuple[Any, ...], query: Mapping[str, Any], **given: Any) -> AsyncListing[Any]:
        async def read(cursor: Optional[str]) -> Any:
            return await self.call(method, path, params, query if cursor is None else {**query, "after": cursor}, **given)

        return AsyncListing(read)

    async def stream(self, after: Optional[int] = None, types: Any = None, consumer: Optional[str] = None,
                     filters: Optional[str] = None, timeout: Optional[float] = None) -> AsyncIterator[Any]:  # fmt: skip
        async for told in self._streamed(after, types, consumer, filters):
            if isinstance(told, dict):
                yield told

    async def _streamed(self, after: Optional[int], types: Any, consumer: Optional[str], filters: Optional[str]) -> AsyncIterator[Any]:
        request = self.stream_request(after, types, consumer, filters)
        async with self.http.stream(**{**request, "headers": {**self.headers, **request["headers"]}}) as response:
            if not response.is_success:
                await response.aread()
                raise error_of(response)
            _check_stream(response)
            events = _Events()
            async for line in response.aiter_lines():
                yield events.line(line)

    async def _polled(self, query: Mapping[str, Any]) -> AsyncIterator[Any]:
        until = time.monotonic() + 60
        after, wait = query["after"], 0
        while time.monotonic() < until:
            page = await self.call("GET", "/api/v1/events", (), {**query, "after": after, "wait": wait})
            for event in page["data"]:
                yield event
            after, wait = page["next_after"], _POLL_SECONDS
            yield after

    async def _place(self, state: _Follow) -> int:
        try:
            return int((await self.call("GET", "/api/v1/event-consumers/{name}", (state.consumer,), {}))["sequence"])
        except ProblemError as error:
            if error.status != 404:
                raise
        await self._commit(state, state.after)
        return state.after

    async def _commit(self, state: _Follow, sequence: int) -> None:
        await self.call("POST", "/api/v1/event-consumers/{name}/commit", (state.consumer,), {}, body={"sequence": sequence}, keyed=True, timeout=5)

    async def _keep(self, state: _Follow, at_once: bool = False) -> None:
        sequence = state.to_keep(at_once)
        if sequence is None:
            return
        try:
            await self._commit(state, sequence)
            state.kept(sequence, True)
        except HeliographError:
            state.kept(sequence, False)

    async def follow(self, after: int = 0, types: Any = None, filters: Optional[Mapping[str, Any]] = None,
                     consumer: Optional[str] = None) -> AsyncIterator[Any]:  # fmt: skip
        """Every event behind ``after``, once and in order, for ever, over connections that break."""
        state = _Follow(after, types, filters, consumer)
        try:
            while True:
                streams = state.streams()
                try:
                    if state.last is None:
                        state.last = await self._place(state)
                    query = state.query()
                    async for told in self._streamed(state.last, types, None, state.filters) if streams else self._polled(query):
                        if state.is_new(told):
                            yield told
                        state.done()
                        await self._keep(state)
                    if not streams:
                        state.fruitless = 0
                        continue
                    error: Exception = HeliographError("The stream ended.")
                except (HeliographError, httpx.HTTPError) as raised:
                    error = raised
                await asyncio.sleep(state.pause_after(error))
        finally:
            await self._keep(state, at_once=True)
