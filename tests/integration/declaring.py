"""A folder of declarations as the repository's own, with some of the shop's streams declared in another way."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from datastack.contract.registry import load_source
from tests.integration.harness import ROOT

INCLUDE = ROOT / "include"


@contextmanager
def declared(folder: Path, drift: str = "discard", **changes: dict[str, Any]) -> Iterator[None]:
    """Declare streams of retail_db with changes, by stream.

    :param folder: an empty one.
    :param drift: what becomes of unknown fields of those streams.
    """
    (folder / "sources").mkdir()
    for found in INCLUDE.iterdir():
        if found.name not in ("sources", "contracts"):
            (folder / found.name).symlink_to(found)
    shutil.copytree(INCLUDE / "contracts", folder / "contracts")
    for stream in changes:
        contract = folder / "contracts" / "retail_db" / f"{stream}.odcs.yaml"
        content = yaml.safe_load(contract.read_text())
        properties = [each for each in content.get("customProperties", ()) if each["property"] != "drift"]
        content["customProperties"] = [*properties, {"property": "drift", "value": drift}]
        contract.write_text(yaml.safe_dump(content))
    for found in (INCLUDE / "sources").iterdir():
        content = yaml.safe_load(found.read_text())
        if found.stem == "retail_db":
            for stream, more in changes.items():
                content["streams"][stream] |= more
        (folder / "sources" / found.name).write_text(yaml.safe_dump(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATASTACK_INCLUDE", str(folder))
        load_source.cache_clear()
        try:
            yield
        finally:
            load_source.cache_clear()
