"""One request at a time, as often as it takes: identity, limits, retries, and what is refused of any answer."""

import logging
from collections.abc import Callable
from typing import Self, TypeVar

import httpx
import tenacity

from datastack.contract.api_sources import ApiSource
from datastack.source.errors import SourceError
from datastack.source.rest.answer import Answer, read_body, retry_after
from datastack.source.rest.asked import Asked
from datastack.source.rest.auth import identity
from datastack.source.rest.errors import PassingError, RefusedStatusError, ThrottledError
from datastack.source.rest.limiter import Clock, Limiter
from datastack.source.rest.secrets import Credentials, Redactor
from datastack.source.rest.sender import Sender

log = logging.getLogger(__name__)
T = TypeVar("T")

PATIENCE = 900.0  # seconds that one request waits because the API asks to; Airflow's retry comes later
_DENIED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
_backoff = tenacity.wait_random_exponential(multiplier=0.5, max=30)


class Client:
    """Asks one API; close it after use, or use it as an asynchronous context manager.

    :param address: scheme, host, port, and the path that all others are below.
    """

    def __init__(self, source: ApiSource, address: str, credentials: Credentials, clock: Clock | None = None) -> None:
        self._source, self._credentials, self._clock = source, credentials, clock or Clock()
        self._base = address.rstrip("/")
        self.address = httpx.URL(self._base)
        if self.address.scheme not in ("http", "https") or not self.address.host:
            raise SourceError(f"connection {credentials.connection!r}: its host is no address. Write it as https://…")
        secret = {
            name: credentials.field_of_extra(field, f"secret_headers.{name}")
            for name, field in source.secret_headers.items()
        }
        self.redact = Redactor(credentials.password, *secret.values(), credentials.extra.get("refresh_token", ""))
        self._identity = identity(source.auth, credentials, self.redact, self._clock)
        self.secret_params = frozenset(self._identity.params)
        self._limiter = Limiter(source.limits, self._clock)
        self._sender = Sender(self.address, source.headers | secret, source.timeout.total_seconds())
        self._retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type((PassingError, httpx.TransportError)),
            wait=_backoff,
            stop=tenacity.stop_after_attempt(source.attempts),
            before_sleep=self._log,
            sleep=self._clock.sleep,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._sender.__aexit__()

    async def fetch(self, asked: Asked, look: Callable[[Answer], T]) -> T:
        """Send a request until it is answered.

        :param look: what to make of the answer; if it raises PassingError, that try has failed.
        :raises SourceError: if it fails as often as declared, or for good; never with a secret in its message.
        """
        try:
            return await self._retrying(self._patiently, asked, look)
        except tenacity.RetryError as error:
            cause = error.last_attempt.exception()
            text = f"{asked} failed {self._source.attempts} times, at last: {_name(cause)}"
            raise SourceError(self.redact(text)) from None
        except SourceError as error:
            error.args = (self.redact(f"{asked}: {error}"),)
            raise error from None

    async def wait(self, seconds: float) -> None:
        """Wait, before an API is asked again how far it is."""
        await self._clock.sleep(seconds)

    async def _patiently(self, asked: Asked, look: Callable[[Answer], T]) -> T:
        """Try, and wait as long as the API asks to: being told to wait is no failed try."""
        until = self._clock.now() + PATIENCE
        while True:
            try:
                return look(await self._as_somebody(asked))
            except ThrottledError as error:
                wait = self._limiter.throttled(error.seconds)
                if self._clock.now() + wait > until:
                    raise SourceError(f"{error}: the API asks to wait {wait:.0f} s. Try again later") from None
                log.info("%s: %s; all requests wait for %.1f s", self.redact(str(asked)), error, wait)

    async def _as_somebody(self, asked: Asked) -> Answer:
        """Ask with an identity; renew it once if the API refuses it."""
        for is_last in (not self._identity.renewable, True):
            async with self._limiter.turn():
                headers = await self._identity.headers(self._post_form)
                status, answer = await self._send(asked, headers)
            if answer:
                self._limiter.succeeded()
                return answer
            if status == httpx.codes.UNAUTHORIZED and not is_last:
                self._identity.forget(headers)
                continue
            break
        raise RefusedStatusError(
            f"{status}: the credentials of connection {self._credentials.connection!r} are refused, or may not do this",
            status,
        )

    async def _send(self, asked: Asked, headers: dict[str, str]) -> tuple[int, Answer | None]:
        """Send once; give the status, and the answer unless it was denied."""
        target = asked.with_params(self._identity.params).target if self._identity.params else asked.target
        async with self._sender.send(asked.method, f"{self._base}{target}", headers, asked.body) as response:
            if response.status_code in _DENIED:
                return response.status_code, None
            await _check_status(response)
            body = await read_body(response, self._source.max_response_bytes)
        return response.status_code, Answer(asked, response.headers, body)

    async def _post_form(self, url: str, form: dict[str, str], headers: dict[str, str]) -> tuple[int, bytes]:
        """Ask for a token."""
        where = f"{self._base}{url}" if url.startswith("/") else url
        async with self._sender.send_form(where, form, headers) as response:
            status = response.status_code
            passes = status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR
            if passes or response.has_redirect_location:
                await _check_status(response)
            return status, await read_body(response, self._source.max_response_bytes)

    def _log(self, state: tenacity.RetryCallState) -> None:
        cause = state.outcome.exception() if state.outcome else None
        wait = state.next_action.sleep if state.next_action else 0.0
        text = f"{state.args[0]} failed, try {state.attempt_number} of {self._source.attempts}: {_name(cause)}"
        log.warning("%s; the next try comes in %.1f s", self.redact(text), wait)


async def _check_status(response: httpx.Response) -> None:
    """Refuse everything but success; a redirect is never followed."""
    status, asks_to_wait = response.status_code, retry_after(response.headers.get("retry-after"))
    what = f"{status} {response.reason_phrase}".rstrip()
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise ThrottledError(what, asks_to_wait)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise ThrottledError(what, asks_to_wait) if asks_to_wait is not None else PassingError(what)
    if response.has_redirect_location:
        to = response.headers["location"].split("?")[0]
        raise RefusedStatusError(f"{what} to {to}: redirects are not followed. Declare the address itself", status)
    if not response.is_success:
        said = (await read_body(response, 1 << 20))[:200].decode(errors="replace")
        raise RefusedStatusError(f"{what}: {said}", status)


def _name(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ") if isinstance(error, httpx.TransportError) else str(error)
