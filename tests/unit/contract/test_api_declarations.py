"""A wrong declaration of an API is refused, by file, field and remedy; those of the guide are right."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from datastack.contract.api_sources import ApiSource
from datastack.contract.errors import DeclarationError
from datastack.contract.registry import load_source

ROOT = Path(__file__).parents[3]
SOURCE = "sources/marketing_api.yml"
GUIDE = ROOT / "docs" / "how-to" / "add-an-api.md"
COUPONS = "    pagination: {kind: offset, limit: 5000}\n"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("token_url: /oauth/token", "token_uri: /oauth/token", ["auth.token_url", "Field required", "Add the field"]),
        ("token_url: /oauth/token", "token_url: oauth/token", ["auth.token_url", "pattern"]),
        ("kind: oauth2_client_credentials\n", "kind: oauth1\n", ["auth", "'oauth1'", "'api_key'", "'basic'"]),
        ("streams:", "auth2: {}\nstreams:", ["auth2", "Remove it or correct its spelling"]),
        ("streams:", "headers: {Authorization: abc}\nstreams:", ["headers.Authorization", "secret_headers"]),
        ("streams:", "limits: {requests: 0}\nstreams:", ["limits.requests", "greater than 0"]),
        ("streams:", "limits: {per: soon}\nstreams:", ["limits.per", "duration"]),
        ("streams:", "limits: {concurrency: 1000}\nstreams:", ["limits.concurrency", "less than or equal to 64"]),
        ("streams:", "attempts: 0\nstreams:", ["attempts", "greater than or equal to 1"]),
        ("streams:", "max_response_bytes: 1 GB\nstreams:", ["max_response_bytes", "integer"]),
        ("path: /coupons", "path: coupons", [": streams.coupons.path:", "pattern"]),
        ("path: /coupons", "path: /coupons/{slice_start}", ["streams.coupons: ", "path: {slice_start} is not known"]),
        ("path: /coupons", "path: /coupons/{id}", ["streams.coupons", "path: {id} is not known here; known: none"]),
        ("{slice_start}", "{slice_strat}", ["params: {slice_strat} is not known here; known: {slice_end}"]),
        ("{slice_start}", "{slice_start:iso}", ["{slice_start:iso}", "use epoch, epoch_ms, or as %Y-%m-%d"]),
        (COUPONS, "", ["streams.coupons.pagination", "Field required"]),
        (COUPONS, "    pagination: {kind: pages}\n", ["streams.coupons.pagination", "'pages'", "'link_header'"]),
        (COUPONS, "    pagination: {kind: offset, limit: 0}\n", ["streams.coupons.pagination.limit", "greater than 0"]),
        (COUPONS, "    pagination: {kind: page_number, first: 2}\n", ["streams.coupons.pagination.first", "0 or 1"]),
        (COUPONS, COUPONS.replace("5000}", "9, sent_in: body}"), ["streams.coupons", "set method: POST"]),
        (COUPONS, COUPONS + "    body: {a: 1}\n", ["streams.coupons", "a GET request has no body"]),
        (COUPONS, COUPONS + "    method: PUT\n", ["streams.coupons.method", "'GET' or 'POST'"]),
        (COUPONS, COUPONS + "    error: {ok: [0]}\n", ["streams.coupons.error.path", "Field required"]),
        (
            COUPONS,
            COUPONS + "    parent: {stream: nope, fields: {id: x}}\n",
            ["parent.fields: {id} is used in none of"],
        ),
        (
            "path: /coupons",
            "path: /coupons/{id}\n    parent: {stream: nope, fields: {id: x}}",
            ["streams.coupons.parent.stream: 'nope' is no other endpoint; endpoints are: campaigns"],
        ),
        (
            "path: /coupons",
            "path: /coupons/{id}\n    parent: {stream: coupons, fields: {id: x}}",
            ["streams.coupons.parent.stream: 'coupons' is no other endpoint"],
        ),
        ("of: campaigns", "of: campaign", ["streams.campaign_households.of: 'campaign' is no other endpoint"]),
        ("of: campaigns", "of: campaigns\n    path: /x", ["streams.campaign_households.path", "Remove it"]),
    ],
)
def test_a_wrong_declaration_is_named(declarations: Any, old: str, new: str, says: list[str]):
    path = declarations(SOURCE, old, new)
    with pytest.raises(DeclarationError) as caught:
        load_source("marketing_api")
    for part in (str(path), *says):
        assert part in str(caught.value)


def test_children_in_a_circle_are_refused():
    declared = yaml.safe_load((ROOT / "include" / SOURCE).read_text())
    for child, parent in (("campaigns", "coupons"), ("coupons", "campaigns")):
        declared["streams"][child] |= {"path": "/x/{id}", "parent": {"stream": parent, "fields": {"id": "id"}}}
    with pytest.raises(ValueError, match="campaigns <- coupons <- campaigns goes in a circle"):
        ApiSource.model_validate(declared)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (None, "(whole file): there is no such file. Write it as def pages(api, stream, window)"),
        ("def pages(:\n", "(whole file): not valid Python"),
        ("def page(api): ...\n", "pages: there is no such function. Write it as def pages"),
        ("raise SystemExit\ndef pages(api, stream, window): ...\n", None),
    ],
)
def test_a_function_is_looked_for_without_being_run(declarations: Any, code: str | None, says: str | None):
    path = declarations(SOURCE, f"path: /coupons\n    records: data\n    total: total\n{COUPONS}", "python: true\n")
    file = path.with_suffix(".py")
    if code is not None:
        file.write_text(code)
    if says is None:
        assert load_source("marketing_api").source.streams["coupons"].python
        return
    with pytest.raises(DeclarationError) as caught:
        load_source("marketing_api")
    assert f"{file}: {says}" in str(caught.value)


def test_a_parent_comes_before_its_children():
    declared = yaml.safe_load((ROOT / "include" / SOURCE).read_text())
    streams = declared["streams"]
    streams["coupons"] |= {"path": "/x/{id}", "parent": {"stream": "redemptions", "fields": {"id": "id"}}}
    names = ["campaign_households", "coupons", "campaigns", "redemptions"]
    declared["streams"] = {name: streams[name] for name in names}
    assert ApiSource.model_validate(declared).parents_first == [
        "campaigns",
        "campaign_households",
        "redemptions",
        "coupons",
    ]


# The guide


def examples() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def whole(example: str) -> dict[str, Any]:
    """Make a source of an example that shows a part of one."""
    given = yaml.safe_load(example)
    fixed = yaml.safe_load((ROOT / "include" / SOURCE).read_text())
    if "streams" in given and "kind" in given:
        return given
    if "path" in given or "python" in given:
        given = {"streams": {"things": {"write": "replace"} | given}}
    if "pagination" in given:
        given = {"streams": {"things": {"path": "/things", "records": "data", "write": "replace"} | given}}
    return fixed | given


def test_the_examples_of_the_guide_are_right():
    found = [ApiSource.model_validate(whole(example)) for example in examples()]
    paginations = {
        stream.pagination.kind for each in found for stream in each.endpoints.values() if hasattr(stream, "path")
    }
    assert paginations == {"none", "page_number", "offset", "cursor", "next_url", "link_header"}
    kinds = {"none", "api_key", "basic", "bearer", "oauth2_client_credentials", "oauth2_refresh_token"}
    assert {each.auth.kind for each in found} == kinds


def test_the_guide_names_every_field():
    """All fields that an API has and other sources have not."""
    text = GUIDE.read_text()
    definitions = ApiSource.model_json_schema()["$defs"]
    for name in (
        "ApiSource",
        "Endpoint",
        "ChildTable",
        "Parent",
        "Limits",
        "BodyError",
        "PageNumber",
        "Offset",
        "Cursor",
    ):
        schema = ApiSource.model_json_schema() if name == "ApiSource" else definitions[name]
        for field in schema["properties"]:
            assert re.search(rf"\b{field}\b", text), f"{name}.{field}"
