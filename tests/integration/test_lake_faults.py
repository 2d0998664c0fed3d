"""A lake that fails, or holds something other than its manifests say: nothing is loaded from it."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import zstandard

from datastack.lake.manifest import ManifestError
from tests.integration.harness import TRANSACTIONS, Stack, days, stopped


def test_a_lake_that_is_down_and_back(stack: Stack):
    before = stack.state()
    key = stack.prepare("retail_db", "transactions", days(1))
    with stopped(stack.lake):
        with pytest.raises(OSError, match=r"s3://landing/checkpoints/retail_db/transactions/slice=20191102.* failed"):
            stack.extract("retail_db", "transactions", days(2))
        with pytest.raises(OSError, match=r"s3://landing/checkpoints/marketing_api/campaigns/slice=20191102.* failed"):
            stack.extract("marketing_api", "campaigns", days(2))
        with pytest.raises(
            OSError, match=r"reading s3://lake/conformed/retail_db/transactions/.*_manifest\.json failed"
        ):
            stack.copy("retail_db", "transactions", key)
    assert stack.state() == before
    stack.copy("retail_db", "transactions", key)
    stack.load("retail_db", "transactions", days(2))
    assert stack.table(TRANSACTIONS) == stack.bought(days(1, 2))


@pytest.mark.parametrize("wrong", [{"password": "hush-hush"}, {"login": "nobody"}])
def test_wrong_credentials_are_refused_without_being_shown(stack: Stack, wrong: dict[str, str]):
    key = stack.prepare("retail_db", "transactions", days(1))
    stack.connect("lake", **wrong)
    for work in (lambda: stack.extract("retail_db", "transactions", days(2)), lambda: copy(stack, key)):
        with pytest.raises(OSError, match=r"transactions/.*in bucket 'lake'.*(SIGNATURE|ACCESS)") as failure:
            work()
        assert "hush-hush" not in str(failure.value)
    assert stack.loads("transactions") == []


def copy(stack: Stack, key: str) -> Any:
    return stack.copy("retail_db", "transactions", key)


def lose(stack: Stack, key: str) -> None:
    stack.delete(key)


def cut(stack: Stack, key: str) -> None:
    rewrite(stack, key, lambda content: content[: len(content) // 2])


def flip(stack: Stack, key: str) -> None:
    rewrite(stack, key, lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:])


def rewrite(stack: Stack, key: str, change: Callable[[bytes], bytes]) -> None:
    content = stack.get(key)
    stack.put(key, change(content))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lose, "is not there"),
        (cut, r"is not what its manifest says \(\d+ bytes, expected \d+\)"),
        (flip, "is not what"),
    ],
)
def test_a_damaged_part_is_named_and_not_loaded(stack: Stack, damage: Callable[..., None], message: str):
    stack.load("retail_db", "transactions", days(1))
    first = set(stack.objects())
    stack.shop("update transactions set quantity = 9")
    key = stack.prepare("retail_db", "transactions", days(1))
    [part] = [key for key in set(stack.objects()) - first if key.endswith(".parquet")]
    before = stack.state()
    damage(stack, part)
    with pytest.raises(ManifestError, match=f"s3://lake/{part} {message}"):
        copy(stack, key)
    assert stack.state() == before
    stack.load("retail_db", "transactions", days(1))
    assert stack.table(TRANSACTIONS) == stack.bought(days(1))


@pytest.mark.parametrize(
    ("damage", "message"), [(lose, "s3://lake/{key} is not there"), (cut, "manifest {key} is not valid")]
)
def test_a_damaged_manifest_is_named_and_not_loaded(stack: Stack, damage: Callable[..., None], message: str):
    key = stack.prepare("retail_db", "transactions", days(1))
    before = stack.state()
    damage(stack, key)
    with pytest.raises(ManifestError, match=message.format(key=key)):
        copy(stack, key)
    assert stack.state() == before
    stack.load("retail_db", "transactions", days(1))
    assert stack.table(TRANSACTIONS) == stack.bought(days(1))


def test_a_damaged_landing_part_is_named_and_not_conformed(stack: Stack):
    landed = stack.extract("marketing_api", "campaigns", days(1))
    [part] = [key for key in stack.objects("landing/") if key.endswith(".zst")]
    cut(stack, part)
    with pytest.raises(ManifestError, match=f"s3://landing/{part} is not what its manifest says"):
        stack.conform("campaigns", landed)
    assert stack.manifests("conformed/") == []


def test_a_manifest_that_does_not_add_up_is_not_loaded(stack: Stack):
    key = stack.prepare("retail_db", "transactions", days(1))
    rewrite(stack, key, lambda content: content.replace(b'"source_rows": 20', b'"source_rows": 21'))
    with pytest.raises(ManifestError, match=r"the source had 21 rows, but 20 were stored and 0 quarantined"):
        copy(stack, key)
    assert stack.loads("transactions") == []


def test_what_is_stored_is_what_the_manifest_says(stack: Stack):
    key = stack.extract("marketing_api", "campaigns", days(1))
    manifest = json.loads(stack.get(key))
    [part] = manifest["parts"]
    content = stack.get(part["key"])
    assert (len(content), hashlib.sha256(content).hexdigest()) == (part["bytes"], part["sha256"])
    lines = zstandard.ZstdDecompressor().stream_reader(content).read().splitlines()
    assert sum(len(json.loads(line)["data"]) for line in lines) == part["rows"] == 27
