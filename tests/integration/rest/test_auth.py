"""Every kind of authentication: let in, renewed midway, refused."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from datastack.source.errors import SourceError
from tests.integration.rest.server import PAGINATIONS, Api, Asked, FakeClock, Reader, Reply, numbered, reply, source

BASIC = "Basic " + base64.b64encode(b"me:s3cret").decode()
CREDENTIALS = {"login": "me", "password": "s3cret", "extra": {"refresh_token": "r3fresh"}}
KINDS: dict[str, tuple[dict[str, Any], Any]] = {
    "none": ({"kind": "none"}, lambda asked: "authorization" not in asked.headers),
    "header": ({"kind": "api_key", "header": "X-Key"}, lambda asked: asked.headers.get("x-key") == "s3cret"),
    "query": ({"kind": "api_key", "query": "key"}, lambda asked: asked.query.get("key") == "s3cret"),
    "basic": ({"kind": "basic"}, lambda asked: asked.headers.get("authorization") == BASIC),
    "bearer": ({"kind": "bearer"}, lambda asked: asked.headers.get("authorization") == "Bearer s3cret"),
}
TOKENS = {
    "client credentials": (
        {"kind": "oauth2_client_credentials", "token_url": "/token"},
        "grant_type=client_credentials",
    ),
    "refresh token": ({"kind": "oauth2_refresh_token", "token_url": "/token"}, "refresh_token=r3fresh"),
}


class Guard:
    """Gives tokens, and lets in who has the newest one."""

    def __init__(self, api: Api, wants: str, **more: Any) -> None:
        self.api, self.wants, self.more = api, wants, more
        self.given: list[Asked] = []
        self.used = 0
        self.uses = 10**9  # of one token
        api.routes["/token"] = self.give
        api.routes["/things"] = self.let_in

    def give(self, asked: Asked) -> Reply:
        is_known = b"client_secret=s3cret" in asked.body or asked.headers.get("authorization") == BASIC
        if self.wants not in asked.body.decode() or not is_known:
            return reply({"error": "invalid_client", "error_description": "s3cret is wrong"}, 401)
        self.given.append(asked)
        self.used = 0
        return reply({"access_token": f"t0ken-{len(self.given)}", "token_type": "Bearer"} | self.more)

    def let_in(self, asked: Asked) -> Reply:
        self.api.asked.append(asked)
        self.used += 1
        if asked.headers.get("authorization") != f"Bearer t0ken-{len(self.given)}" or self.used > self.uses:
            return reply({"detail": "who are you"}, 401)
        return self.api.page(asked, self.api.records)


def read(
    api: Api, auth: dict[str, Any], clock: FakeClock | None = None, pagination: str = "cursor", **more: Any
) -> Any:
    declared = source({"pagination": PAGINATIONS[pagination], "total": "total"}, auth=auth, attempts=1)
    return Reader(api, declared, clock, **(CREDENTIALS | more)).numbers()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pagination", ["offset", "next_url"])
def test_who_asks_is_shown(api: Api, kind: str, pagination: str):
    auth, shown = KINDS[kind]
    api.records = numbered(7)
    assert read(api, auth, pagination=pagination) == list(range(7))
    assert all(shown(asked) for asked in api.asked)
    assert len(api.asked) == 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_named_and_not_shown(api: Api, kind: str, status: int):
    api.faults = [lambda asked, _: reply({"detail": f"{dict(asked.query)} {asked.headers}"}, status)]
    with pytest.raises(SourceError, match=f"{status}: the credentials of connection 'shop_api' are refused") as caught:
        read(api, KINDS[kind][0])
    assert "s3cret" not in str(caught.value)
    assert len(api.asked) == 1


def test_a_secret_that_the_api_repeats_is_not_shown(api: Api):
    api.faults = [lambda asked, _: reply({"detail": f"bad request: {asked.headers['x-key']}"}, 400)]
    with pytest.raises(SourceError, match=r"bad request: \*\*\*") as caught:
        read(api, KINDS["header"][0])
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("kind", [*list(KINDS)[1:], "client credentials"])
def test_a_connection_without_its_secret_is_named(api: Api, kind: str):
    auth = (KINDS | TOKENS)[kind][0]
    with pytest.raises(SourceError, match=f"'shop_api' has no password, which auth: {auth['kind']} needs"):
        read(api, auth, password="")


def test_a_connection_without_a_refresh_token_is_named(api: Api):
    with pytest.raises(SourceError, match="'shop_api': its extra has no field 'refresh_token'"):
        read(api, TOKENS["refresh token"][0], extra={})


def test_an_api_key_in_the_next_address_is_not_doubled_nor_shown(api: Api):
    def keyed(asked: Asked, found: Reply) -> Reply:
        content = json.loads(found.body)
        return reply(content | {"links": {"next": f"{content['links']['next']}&key=s3cret"}})

    api.records, api.faults = numbered(7), [keyed, lambda _, __: Reply(b"", 500)]
    with pytest.raises(SourceError) as caught:
        read(api, KINDS["query"][0], pagination="next_url")
    assert "s3cret" not in str(caught.value)
    assert "/things?at=3" in str(caught.value)
    assert api.asked[1].query == {"at": "3", "key": "s3cret"}


# Tokens


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("client_auth", ["body", "basic"])
def test_a_token_is_fetched_once(api: Api, kind: str, client_auth: str):
    auth, wants = TOKENS[kind]
    guard, api.records = Guard(api, wants), numbered(7)
    assert read(api, auth | {"client_auth": client_auth, "form": {"scope": "read"}}) == list(range(7))
    [asked] = guard.given
    form = parse_qs(asked.body.decode())
    assert form["scope"] == ["read"]
    assert ("client_secret" in form, asked.headers.get("authorization")) == (
        (True, None) if client_auth == "body" else (False, BASIC)
    )


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("pagination", ["offset", "cursor"])
def test_a_token_that_expires_midway_is_renewed(api: Api, kind: str, pagination: str):
    auth, wants = TOKENS[kind]
    guard, api.records = Guard(api, wants), numbered(60)
    guard.uses = 7
    assert read(api, auth, pagination=pagination) == list(range(60))
    assert 2 < len(guard.given) <= 6


def test_a_token_is_renewed_before_its_end(api: Api):
    """Each page takes 40 s of the 100 s that a token lives; it counts as old 10 s before."""
    auth, wants = TOKENS["client credentials"]
    guard, api.records, clock = Guard(api, wants, expires_in=100), numbered(18), FakeClock()
    let_in, seen, born = guard.let_in, [], [0.0, 0.0]

    def slowly(asked: Asked) -> Reply:
        if len(guard.given) == 2 and not born[1]:
            born[1] = clock.time
        age = clock.time - born[len(guard.given) - 1]
        found = let_in(asked) if age < 100 else reply({}, 401)
        seen.append((age, found.status))
        clock.time += 40
        return found

    api.routes["/things"] = slowly
    assert read(api, auth, clock) == list(range(18))
    assert seen == [(0, 200), (40, 200), (80, 200)] * 2


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_that_is_refused_when_fresh_ends_it(api: Api, kind: str):
    auth, wants = TOKENS[kind]
    guard = Guard(api, wants)
    guard.uses = 0
    with pytest.raises(SourceError, match="401: the credentials of connection 'shop_api' are refused"):
        read(api, auth)
    assert len(guard.given) == 2


@pytest.mark.parametrize("kind", TOKENS)
def test_refused_credentials_at_the_token_url(api: Api, kind: str):
    auth, wants = TOKENS[kind]
    Guard(api, wants)
    extra = {"refresh_token": "wr0ng"}
    with pytest.raises(
        SourceError, match=r"/token refused the credentials of .*'shop_api': 401 \(invalid_client\)"
    ) as caught:
        read(api, auth, password="wr0ng", extra=extra)
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize("fault", [Reply(b"", 503), Reply(b"", 429, {"Retry-After": "3"}), Reply(b"x", cut=0)])
def test_a_token_url_that_fails_for_a_while(api: Api, fault: Reply):
    auth, wants = TOKENS["client credentials"]
    guard, faults = Guard(api, wants), [fault]
    api.routes["/token"] = lambda asked: faults.pop() if faults else guard.give(asked)
    declared = source({"pagination": PAGINATIONS["cursor"]}, auth=auth)
    assert Reader(api, declared, **CREDENTIALS).numbers() == []


@pytest.mark.parametrize("answer", [reply({}), reply([]), Reply(b"<html>"), reply({"access_token": 1}), reply({}, 404)])
def test_a_token_url_that_gives_no_token(api: Api, answer: Reply):
    api.routes["/token"] = lambda _: answer
    with pytest.raises(SourceError, match=r"without an access_token\. Is token_url right"):
        read(api, TOKENS["client credentials"][0])


def test_a_server_that_exchanges_refresh_tokens_is_refused(api: Api):
    auth, wants = TOKENS["refresh token"]
    Guard(api, wants, refresh_token="an0ther")
    with pytest.raises(SourceError, match="exchanged the refresh token of connection 'shop_api'") as caught:
        read(api, auth)
    assert "an0ther" not in str(caught.value)
    assert api.asked == []


def test_a_server_that_repeats_the_refresh_token_is_fine(api: Api):
    auth, wants = TOKENS["refresh token"]
    Guard(api, wants, refresh_token="r3fresh")
    assert read(api, auth) == []


def test_a_redirect_of_the_token_url_is_not_followed(api: Api):
    api.routes["/token"] = lambda _: Reply(b"", 307, {"Location": "http://evil.example/token"})
    with pytest.raises(SourceError, match=r"307 .*to http://evil\.example/token: redirects are not followed"):
        read(api, TOKENS["client credentials"][0])
