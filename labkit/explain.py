"""From an exception of the openai client to a LabError with a fix, and a way to show errors on purpose."""

from __future__ import annotations

import contextlib
import email.utils
import json
import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx2

from labkit.errors import EndpointError, LabError, ModelError, RequestError
from labkit.listing import PROXY_FIX, certificate, certificate_fix
from labkit.words import is_loading, is_quota, shorten, words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from labkit.connection import Connection

_CONTEXT = re.compile(
    r"context[_ ](length|size|window)|maximum (context|model length)|too many (input )?tokens"
    r"|token count .{0,60} exceeds|(prompt|input)\b.{0,60} (is too long|longer than|exceeds the (maximum|max))",
    re.IGNORECASE,
)
_KEY = re.compile(r"api[ _-]?key (not valid|invalid|expired)|invalid api[ _-]?key", re.IGNORECASE)
_FILTER = re.compile(
    r"content[_ ]filter|content management policy|ResponsibleAI|data_inspection|moderation", re.IGNORECASE
)
# Names in an address's query whose values are secret.
_SECRET_NAME = re.compile(r"key|code|token|sig|secret|password", re.IGNORECASE)


def explain(error: BaseException, connection: Connection | None = None) -> LabError:
    """The same failure as a LabError: what happened in the endpoint's own words, and its fix.

    With the `connection` that failed, the fix is the one for its source. A LabError is returned unchanged. A status
    has one class in any case: 401 to 403, 405 and from 500 an EndpointError, 404 a ModelError where it is about a
    model, any other a RequestError.
    """
    import openai

    if isinstance(error, LabError):
        return error
    if isinstance(error, openai.APIStatusError):
        # All of the body: openai keeps what is under "error" alone, which may be `true` beside the words.
        body = error.response.text or error.body
        return _Refusal(
            error.status_code, body, error.response.headers, _keys(error, connection), connection
        ).explained()
    if isinstance(error, openai.APITimeoutError):
        return EndpointError("The endpoint did not answer in time", fix="ask again, or give it a longer time-out")
    if wrong := certificate(error):
        return EndpointError(
            f"The endpoint's certificate is not trusted ({wrong})",
            fix=certificate_fix(wrong),
        )
    if isinstance(error.__cause__, httpx2.ProxyError):
        return EndpointError(f"The proxy before the endpoint refuses ({shorten(str(error.__cause__))})", fix=PROXY_FIX)
    if isinstance(error, httpx2.DecodingError) or isinstance(error.__cause__, httpx2.DecodingError):
        return EndpointError(
            "The endpoint's answer cannot be unpacked", fix="look at the endpoint, or at a proxy before it"
        )
    if isinstance(error, openai.APIConnectionError):
        return EndpointError("The connection failed or broke off", fix=f"{_start(connection)}, then connect() again")
    if isinstance(error, openai.APIError):
        return explain_body({"error": error.body or error.message}, connection)
    if isinstance(error, RuntimeError) and "client has been closed" in str(error):
        return EndpointError("This connection is closed", fix="connect() again")
    first = str(error).strip().partition("\n")[0]
    return LabError(f"{type(error).__name__}: {shorten(first)}")


def explain_body(body: object, connection: Connection | None = None) -> LabError:
    """The LabError for an error inside an answer of status 200, which has a body and no error status."""
    inside = body.get("error", body) if isinstance(body, dict) else body
    code = inside.get("code") or inside.get("status") if isinstance(inside, dict) else None
    number = str(code)
    status = int(number) if number.isdigit() and 400 <= int(number) <= 599 else 0
    return _Refusal(status, body, {}, _keys(None, connection), connection).explained()


def retry_after(value: str | None, now: datetime | None = None) -> float:
    """Seconds in a Retry-After header: a number or an HTTP date (RFC 9110, section 10.2.3); 0 if it is neither."""
    with contextlib.suppress(ValueError):  # then it may be a date
        seconds = float(value or 0)
        return max(0.0, seconds) if math.isfinite(seconds) else 0.0
    try:
        until = email.utils.parsedate_to_datetime(value or "")
    except ValueError:
        return 0.0
    # The oldest form of an HTTP date has no time zone: it is always UTC.
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())


class _Refusal:
    """A status and a body, of which an error is to be made."""

    def __init__(
        self,
        status: int,
        body: object,
        headers: Mapping[str, str],
        keys: tuple[str, ...],
        connection: Connection | None,
    ) -> None:
        self.status = status
        self.everything = body if isinstance(body, str) else json.dumps(body, default=str, ensure_ascii=False)
        self.words = words(body, *keys)
        self.headers = headers
        self.connection = connection

    def explained(self) -> LabError:
        """The class, the sentence and the fix."""
        if _CONTEXT.search(self.everything) and self.status not in (401, 402, 403, 429):
            return self._error(
                RequestError,
                "The messages and the answer do not fit into the context window",
                "send fewer or shorter messages",
            )
        if self.status in (0, 400) and _FILTER.search(self.everything):
            return self._error(RequestError, "A content filter of the endpoint stops this", "ask it in other words")
        if self.status == 400 and _KEY.search(self.everything):  # Gemini
            return self._error(RequestError, "The endpoint refuses the key", "set API_KEY to the endpoint's key")
        if "not loaded" in self.everything:
            return self._error(
                ModelError,
                "The model is listed but not loaded",
                "python lab.py serve loads it, and so does model.load()",
            )
        if self.status == 429 or (self.status == 0 and is_quota(self.everything)):
            return self._too_many()
        if self.status == 404 and re.search(r"model|deployment", self.everything, re.IGNORECASE):
            return self._error(
                ModelError, "The endpoint has no model of this name", "chat takes the full id: use lab.model"
            )
        if self.status == 503 and is_loading(self.everything):
            return self._error(EndpointError, "The model is still loading", self._wait())
        if self.status == 503 and self.headers.get("Retry-After"):
            return self._error(EndpointError, _STATUSES[503][1], self._wait())
        if known := _STATUSES.get(self.status):
            if self.status in (400, 403) and is_quota(self.everything):
                return self._error(
                    known[0], "The quota of this key is used up", "look at plan and billing of the account"
                )
            return self._error(*known)
        if self.status >= 500 or self.status == 0:
            what = f"The endpoint failed with status {self.status}" if self.status else "The endpoint failed"
            return self._error(EndpointError, what, self._again())
        return self._error(
            RequestError, f"The endpoint refuses the request with status {self.status}", "change what it names"
        )

    def _too_many(self) -> LabError:
        if is_quota(self.everything):
            return self._error(
                RequestError, "The quota of this key is used up", "look at plan and billing of the account"
            )
        return self._error(RequestError, "The endpoint takes no more requests just now", self._wait())

    def _wait(self) -> str:
        seconds = math.ceil(retry_after(self.headers.get("Retry-After")))
        wait = f"{seconds} s" if seconds <= 120 else f"{math.ceil(seconds / 60)} minutes"
        return f"wait {wait if seconds else 'a little'} and ask again"

    def _error(self, kind: type[LabError], sentence: str, fix: str = "") -> LabError:
        return kind(f"{sentence} ({self.words})" if self.words else sentence, fix=fix or self._again())

    def _again(self) -> str:
        from labkit.connection import Source

        source = self.connection.source if self.connection else None
        if source in (Source.SHARED, Source.SERVICE, Source.IN_PROCESS):
            return "ask again; if it happens again, restart python lab.py serve"
        if source in (Source.CLOUD, Source.BASE_URL):
            return "ask again; if it happens again, look at the endpoint's own log or status page"
        return "ask again; if it happens again, restart the endpoint"


# Class, sentence and fix of a status; without a fix it is "ask again", in the words for the connection's source.
_STATUSES: dict[int, tuple[type[LabError], str] | tuple[type[LabError], str, str]] = {
    400: (RequestError, "The endpoint refuses the request", "change the value that it names"),
    401: (EndpointError, "The endpoint refuses the key", "set API_KEY to the endpoint's key"),
    402: (EndpointError, "The endpoint wants to be paid", "look at plan and billing of the account"),
    403: (EndpointError, "The endpoint forbids this", "check that this key may use this model, and from this place"),
    404: (EndpointError, "The endpoint has nothing at this path", "check the address; most end in /v1"),
    405: (EndpointError, "The endpoint does not take this kind of request", "check the address; most end in /v1"),
    407: (EndpointError, "A proxy refuses the request", "check HTTPS_PROXY with its user name and password"),
    408: (EndpointError, "The endpoint did not get the request in time"),
    409: (RequestError, "The endpoint is busy with the same thing", "ask again"),
    413: (RequestError, "The request is too large for the endpoint", "send fewer or shorter messages"),
    414: (RequestError, "The address of the request is too long for the endpoint", "check the address"),
    415: (RequestError, "The endpoint does not take this kind of content", "check the address; most end in /v1"),
    422: (RequestError, "The endpoint refuses the request", "change the value that it names"),
    451: (EndpointError, "The endpoint may not answer this for legal reasons", "ask something else, or elsewhere"),
    500: (EndpointError, "The endpoint failed inside"),
    501: (EndpointError, "The endpoint cannot do this", "start it with this function, or use another endpoint"),
    502: (EndpointError, "The server behind the endpoint does not answer"),
    503: (EndpointError, "The endpoint is not available just now"),
    504: (EndpointError, "The server behind the endpoint did not answer in time"),
    529: (EndpointError, "The endpoint is overloaded", "wait a little and ask again"),
}


def _keys(error: Any, connection: Connection | None) -> tuple[str, ...]:
    """What was sent and is secret, which some endpoints repeat in their answer."""
    keys = [connection.api_key] if connection else []
    addresses = [connection.base_url] if connection else []
    if error is not None:
        keys.append(str(error.request.headers.get("Authorization", "")).partition(" ")[2])
        addresses.append(str(error.request.url))
    for address in map(urlsplit, addresses):
        keys += [unquote(address.password or "")]
        keys += [value for name, value in parse_qsl(address.query) if _SECRET_NAME.search(name)]
    return tuple(keys)


def _start(connection: Connection | None) -> str:
    """How to bring back an endpoint that does not answer."""
    from labkit.connection import Source

    if connection and connection.source in (Source.CLOUD, Source.BASE_URL):
        return "check the address, and that the endpoint runs"
    return "python lab.py serve"


class expect:  # noqa: N801 - reads as a word in `with expect(...)`
    """A `with` block that must fail in a stated way: shows the error in one line, and fails if there is none.

    `with expect(openai.NotFoundError): ...` prints the kind, what happened and the fix. Any other exception
    goes through; no exception is an AssertionError.
    """

    def __init__(self, kind: type[BaseException]) -> None:
        self.kind = kind

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        """Swallow the expected kind only."""
        if error is None:
            raise AssertionError(f"expected {self.kind.__name__}, but nothing went wrong")
        if not isinstance(error, self.kind):
            return False
        said, name = str(explain(error)), type(error).__name__
        print(said if said.startswith(f"{name}: ") else f"{name}: {said}")
        return True
