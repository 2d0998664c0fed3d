"""Who asks: what each kind of authentication adds to a request."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from datastack.contract.api_auth import ApiKey, Auth, Basic, Bearer, OAuth2, OAuth2RefreshToken
from datastack.source.errors import SourceError
from datastack.source.rest.limiter import Clock
from datastack.source.rest.secrets import Credentials, Redactor

_REFUSED = (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
_EARLY = 0.1  # a token is renewed when so much of its life is left,
_EARLY_SECONDS = 30.0  # or so many seconds, if that is less

# Posts a form; gives status and body. It raises for what passes.
Post = Callable[[str, dict[str, str], dict[str, str]], Awaitable[tuple[int, bytes]]]


class Identity:
    """What a kind of authentication adds that never changes."""

    renewable = False

    def __init__(self, headers: dict[str, str] | None = None, params: dict[str, str] | None = None) -> None:
        self._headers, self.params = headers or {}, params or {}

    async def headers(self, post: Post) -> dict[str, str]:
        """Headers to add to a request."""
        return self._headers

    def forget(self, headers: dict[str, str]) -> None:
        """Take note that the API refused these headers."""


class TokenIdentity(Identity):
    """A bearer token that expires: fetched when needed, some time before its end, and when the API refuses it."""

    renewable = True

    def __init__(self, declared: OAuth2, credentials: Credentials, redact: Redactor, clock: Clock) -> None:
        super().__init__()
        self._declared, self._credentials, self._redact, self._clock = declared, credentials, redact, clock
        self._lock = asyncio.Lock()
        self._until = float("inf")

    async def headers(self, post: Post) -> dict[str, str]:
        """Headers with a token that is valid, as far as is known.

        :raises SourceError: if the credentials are refused, or the answer has no token.
        """
        async with self._lock:
            if not self._headers or self._clock.now() >= self._until:
                self._headers = await self._fetch(post)
            return self._headers

    def forget(self, headers: dict[str, str]) -> None:
        """Drop a token that the API refused, unless another one has taken its place meanwhile."""
        if headers == self._headers:
            self._headers = {}

    async def _fetch(self, post: Post) -> dict[str, str]:
        form, headers = self._grant(), {}
        if self._declared.client_auth == "basic":
            headers = basic(self._credentials.login, self._credentials.password)
        else:
            client = {"client_id": self._credentials.login, "client_secret": self._credentials.password}
            form |= {name: value for name, value in client.items() if value}  # a public client has no secret
        where = self._declared.token_url
        status, body = await post(where, form | self._declared.form, headers)
        content = _mapping(body)
        if status in _REFUSED:
            said = f" ({content['error']})" if isinstance(content.get("error"), str) else ""
            raise SourceError(
                f"{where} refused the credentials of connection {self._credentials.connection!r}: {status}{said}. "
                f"Correct {self._fields} there"
            )
        if status != httpx.codes.OK or not isinstance(content.get("access_token"), str):
            raise SourceError(f"{where} answered {status}, without an access_token. Is token_url right?")
        self._keep(content)
        return {"authorization": f"Bearer {content['access_token']}"}

    _fields = "its login and password"

    def _grant(self) -> dict[str, str]:
        return {"grant_type": "client_credentials"}

    def _keep(self, content: dict[str, Any]) -> None:
        self._redact.add(content["access_token"])
        try:
            life = float(content["expires_in"])
        except (KeyError, TypeError, ValueError):
            life = float("inf")  # then the API's refusal says when
        self._until = self._clock.now() + life - min(_EARLY_SECONDS, life * _EARLY)


class RefreshTokenIdentity(TokenIdentity):
    """A token for a refresh token that stays valid."""

    _fields = "its login and password, and refresh_token in its extra"

    def _grant(self) -> dict[str, str]:
        token = self._credentials.field_of_extra("refresh_token", "auth: oauth2_refresh_token")
        return {"grant_type": "refresh_token", "refresh_token": token}

    def _keep(self, content: dict[str, Any]) -> None:
        fresh = content.get("refresh_token")
        if fresh and fresh != self._grant()["refresh_token"]:
            raise SourceError(
                f"{self._declared.token_url} exchanged the refresh token of connection {self._credentials.connection!r}"
                " for another one: a server that does so can't be read by several tasks, which would spend each "
                "other's. Ask for a client whose refresh token stays, or for client credentials; the token in the "
                "connection may be spent, so put a new one there"
            )
        super()._keep(content)


def identity(auth: Auth, credentials: Credentials, redact: Redactor, clock: Clock) -> Identity:
    """Return what the declared kind of authentication adds to requests.

    :raises SourceError: if the connection lacks what it needs.
    """
    if auth.kind == "none":
        return Identity()
    if not credentials.password and not isinstance(auth, OAuth2RefreshToken):
        raise SourceError(f"connection {credentials.connection!r} has no password, which auth: {auth.kind} needs")
    match auth:
        case ApiKey(header=None):
            return Identity(params={auth.query or "": credentials.password})
        case ApiKey():
            return Identity({auth.header or "": credentials.password})
        case Basic():
            return Identity(basic(credentials.login, credentials.password))
        case Bearer():
            return Identity({"authorization": f"Bearer {credentials.password}"})
        case OAuth2RefreshToken():
            return RefreshTokenIdentity(auth, credentials, redact, clock)
    return TokenIdentity(auth, credentials, redact, clock)


def basic(login: str, password: str) -> dict[str, str]:
    """Header of RFC 7617."""
    return {"authorization": f"Basic {base64.b64encode(f'{login}:{password}'.encode()).decode()}"}


def _mapping(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
