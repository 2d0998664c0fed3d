"""Who may call the API, and how often: OAuth2 client credentials, sealed tokens, a bucket of turns."""

import base64
import hashlib
import hmac
import json
import math
from collections.abc import Callable
from time import monotonic, time
from typing import Any
from urllib.parse import parse_qs

from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse

SEAL_BYTES = 16
REALM = "marketing_api"


class Signer:
    """Seals small objects so that nobody else can make or change them; keeps no state, so survives a restart.

    :param secret: the key.
    :param purpose: what is sealed; what was sealed for one purpose does not open for another.
    """

    def __init__(self, secret: str, purpose: str) -> None:
        self._key = hmac.digest(secret.encode(), purpose.encode(), hashlib.sha256)

    def seal(self, content: dict[str, Any]) -> str:
        """Return the object as text that is safe in a URL."""
        body = json.dumps(content).encode()
        return base64.urlsafe_b64encode(self._of(body) + body).decode().rstrip("=")

    def open(self, text: str) -> dict[str, Any]:
        """Return the object that was sealed. Raises ValueError for anything else."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raw = b""
        seal, body = raw[:SEAL_BYTES], raw[SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._of(body)):
            raise ValueError("not sealed here")
        content: dict[str, Any] = json.loads(body)
        return content

    def _of(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, hashlib.sha256)[:SEAL_BYTES]


class TokenBucket:
    """A bucket of turns that refills at an even rate.

    :param rate: turns a second.
    :param burst: turns that fit in; it starts full.
    :param clock: seconds, never backwards.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._turns, self._at = float(burst), clock()

    def take(self) -> int:
        """Take a turn and return 0, or take none and return the whole seconds after which there is one."""
        now = self._clock()
        self._turns = min(self._turns + (now - self._at) * self._rate, self._burst)
        self._at = now
        if self._turns < 1:
            return max(math.ceil((1 - self._turns) / self._rate), 1)
        self._turns -= 1
        return 0


class Gatekeeper:
    """Issues bearer tokens to the one client, and lets calls in that carry one, at the agreed rate.

    :param token_seconds: life of a token.
    :param turns: the client's turns.
    """

    def __init__(self, client_id: str, client_secret: str, token_seconds: int, turns: TokenBucket) -> None:
        self._client_id, self._client_secret = client_id, client_secret
        self._token_seconds, self._turns = token_seconds, turns
        self._signer = Signer(client_secret, "access token")

    async def issue_token(self, request: Request) -> JSONResponse:
        """Answer POST /oauth/token (RFC 6749, 4.4): credentials by HTTP Basic or in the form."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode("latin-1")).items()}
        given = _basic(request) or (form.get("client_id", ""), form.get("client_secret", ""))
        if not (same(given[0], self._client_id) & same(given[1], self._client_secret)):
            headers = {"WWW-Authenticate": f'Basic realm="{REALM}"'}
            return JSONResponse({"error": "invalid_client"}, 401, headers)
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        token = self._signer.seal({"expires_at": time() + self._token_seconds})
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": self._token_seconds}
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    async def require_token(self, request: Request) -> None:
        """Raise HTTPException 401 unless the call carries a valid token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise _refusal("get a token from POST /oauth/token and send it as Authorization: Bearer", "")
        try:
            expires_at = self._signer.open(token)["expires_at"]
        except ValueError:
            raise _refusal("the token is not one of ours", ', error="invalid_token"') from None
        if time() >= expires_at:
            raise _refusal("the token has expired", ', error="invalid_token"')

    async def require_turn(self) -> None:
        """Raise HTTPException 429 when the client has no turn left."""
        if seconds := self._turns.take():
            raise HTTPException(429, f"too many requests: wait {seconds} s", {"Retry-After": str(seconds)})


def _basic(request: Request) -> tuple[str, str] | None:
    """Return name and password of HTTP Basic; None without or when they can't be read."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return name, password


def _refusal(detail: str, error: str) -> HTTPException:
    return HTTPException(401, detail, {"WWW-Authenticate": f'Bearer realm="{REALM}"{error}'})


def same(given: str, expected: str) -> bool:
    """Compare secrets in a time that tells nothing about them."""
    return hmac.compare_digest(given.encode(), expected.encode())
