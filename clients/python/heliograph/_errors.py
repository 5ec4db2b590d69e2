"""What the client raises. Nothing of it holds a key."""

from __future__ import annotations

from typing import Any, Mapping, Optional


class HeliographError(Exception):
    """Everything that this client raises, except for wrong arguments."""


class ConnectionFailed(HeliographError):
    """No answer came. Repeat the call with this idempotency key, and it is done once."""

    def __init__(self, message: str, idempotency_key: Optional[str] = None) -> None:
        super().__init__(message)
        self.idempotency_key = idempotency_key


class TimedOut(ConnectionFailed):
    """The time was over."""


class NotModified(HeliographError):
    """What was asked with if_none_match is still so."""


class CursorError(HeliographError):
    """A list that leads in a circle."""


class WebhookVerificationError(HeliographError):
    """A request that is not genuine, or not of now."""


class ProblemError(HeliographError):
    """The platform refused. Decide by ``code``."""

    def __init__(self, status: int, problem: Mapping[str, Any], request_id: Optional[str], retry_after: Optional[float]) -> None:
        self.status = status
        self.problem = problem
        self.code: str = problem.get("code", f"http_{status}")
        self.title: str = problem.get("title", f"The answer was {status}")
        self.detail: Optional[str] = problem.get("detail")
        self.errors = problem.get("errors", [])
        self.request_id: Optional[str] = problem.get("request_id", request_id)
        self.doc_url: Optional[str] = problem.get("doc_url")
        self.retry_after = retry_after
        super().__init__(f"{self.code} ({status}): {self.detail or self.title}")


class AuthenticationError(ProblemError):
    pass


class InsufficientFundsError(ProblemError):
    pass


class PermissionDenied(ProblemError):
    pass


class NotFoundError(ProblemError):
    pass


class ConflictError(ProblemError):
    pass


class PreconditionFailedError(ProblemError):
    pass


class InvalidRequestError(ProblemError):
    pass


class RateLimitedError(ProblemError):
    pass


class ServerError(ProblemError):
    pass


_classes = {
    400: InvalidRequestError, 401: AuthenticationError, 402: InsufficientFundsError, 403: PermissionDenied,
    404: NotFoundError, 409: ConflictError, 412: PreconditionFailedError, 413: InvalidRequestError,
    415: InvalidRequestError, 422: InvalidRequestError, 429: RateLimitedError,
}  # fmt: skip


def problem_error(status: int, problem: Mapping[str, Any], request_id: Optional[str], retry_after: Optional[float]) -> ProblemError:
    kind = _classes.get(status, ServerError if status >= 500 else ProblemError)
    return kind(status, problem, request_id, retry_after)
