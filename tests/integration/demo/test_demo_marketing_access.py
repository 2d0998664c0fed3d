"""Who may call the marketing API and how often, against a real process."""

import os
import subprocess
import sys
import time

import httpx
import pytest

from tests.integration.demo.marketing_server import CLIENT, FORM, ROOT, SECRET, get, log_in, serving


def test_health_needs_no_token_and_tells_nothing(api) -> None:
    answer = httpx.get(api.base_url.join("/health"))
    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


@pytest.mark.parametrize("path", ["/campaigns", "/coupons", "/redemptions", "/_faults"])
@pytest.mark.parametrize("token", [None, "Bearer", "Bearer abc", "Basic abc", f"Bearer {SECRET}"])
def test_everything_else_needs_a_token(api, path, token) -> None:
    headers = {"Authorization": token} if token else {}
    answer = httpx.get(api.base_url.join(path), headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="marketing_api"')
    assert "data" not in answer.json()


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/openapi.json"])
def test_there_is_no_other_page(api, path) -> None:
    assert api.get(path).status_code == 404


def test_a_token_is_given_for_credentials_in_the_form_or_by_basic(api) -> None:
    url = api.base_url.join("/oauth/token")
    for answer in (
        httpx.post(url, data=FORM),
        httpx.post(url, data={"grant_type": "client_credentials"}, auth=(CLIENT, SECRET)),
    ):
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 3600)
        headers = {"Authorization": "Bearer " + answer.json()["access_token"]}
        assert httpx.get(api.base_url.join("/campaigns"), headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 401, "invalid_client"),
        (FORM | {"client_secret": "wrong"}, 401, "invalid_client"),
        (FORM | {"client_secret": "é"}, 401, "invalid_client"),
        (FORM | {"client_id": "wrong"}, 401, "invalid_client"),
        (FORM | {"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_no_token_is_given_for_anything_else(api, form, status, error) -> None:
    answer = httpx.post(api.base_url.join("/oauth/token"), data=form)
    assert (answer.status_code, answer.json()) == (status, {"error": error})
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_a_token_expires_and_a_restart_spares_tokens_and_cursors() -> None:
    with serving(DEMO_MARKETING_API_TOKEN_SECONDS="2") as client:
        log_in(client)
        first = get(client, "/redemptions", limit=10)
        time.sleep(2.1)
        answer = client.get("/redemptions")
        assert (answer.status_code, answer.json()["detail"]) == (401, "the token has expired")
        token = log_in(client).headers["Authorization"]
    with serving() as client:
        client.headers["Authorization"] = token
        second = get(client, "/redemptions", limit=10, cursor=first["next_cursor"])
        assert [row["redemption_id"] for row in second["data"]][:1] == ["r-000011"]


def test_too_many_calls_are_told_how_long_to_wait() -> None:
    with serving(DEMO_MARKETING_API_RATE="1", DEMO_MARKETING_API_BURST="3") as client:
        log_in(client)
        answers = [client.get("/campaigns") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[3].headers["Retry-After"] == "1"
        time.sleep(1)
        assert client.get("/campaigns").status_code == 200
        assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"DEMO_MARKETING_API_CLIENT_SECRET": ""}, "DEMO_MARKETING_API_CLIENT_SECRET is not set"),
        ({"DATASTACK_DEMO_ANCHOR": ""}, "DATASTACK_DEMO_ANCHOR is ''"),
    ],
)
def test_a_missing_setting_is_one_line(change, message) -> None:
    names = {"PORT": "1", "CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET}
    own = {f"DEMO_MARKETING_API_{name}": value for name, value in names.items()}
    environment = os.environ | own | {"DATASTACK_DEMO_ANCHOR": "2020-01-01"} | change
    command = [sys.executable, "-m", "local.demo.marketing_api"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert message in done.stderr
