"""What the how-to says of files can be declared, and every field that can be declared is in it."""

import re
from pathlib import Path

import pytest
import yaml

from datastack.contract.documents import DOCUMENT_COLUMNS
from datastack.contract.file_formats import Csv, Excel, Json, JsonLines, Parquet
from datastack.contract.file_sources import Delivery, DocumentStream, FileSource, FileStream, Period

TEXT = (Path(__file__).parents[3] / "docs" / "how-to" / "add-files.md").read_text()
EXAMPLES = [yaml.safe_load(found) for found in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
KINDS = (Csv, Excel, Json, JsonLines, Parquet)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
def test_examples_can_be_declared(example: dict[str, object]):
    assert FileSource.model_validate(example).name == example["name"]


def test_there_are_examples():
    assert len(EXAMPLES) == 2


def test_every_field_is_described():
    fields = {name for model in (FileStream, DocumentStream, Delivery, Period, *KINDS) for name in model.model_fields}
    of_any_stream = {"kind"}
    missing = {name for name in fields - of_any_stream if not re.search(rf"\b{name}\b", TEXT)}
    assert missing == set()
    for kind in KINDS:
        name = kind.model_fields["kind"].annotation.__args__[0]  # type: ignore[union-attr]
        assert f"| `{name}` |" in TEXT


def test_every_column_of_a_document_is_described():
    assert {name for name in DOCUMENT_COLUMNS if f"`{name}`" not in TEXT} == set()
