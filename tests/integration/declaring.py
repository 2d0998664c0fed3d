"""A folder of declarations as the repository's own, with some of the shop's streams declared in another way."""

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
def declared(folder: Path, **changes: dict[str, Any]) -> Iterator[None]:
    """Declare streams of retail_db with changes, by stream.

    :param folder: an empty one.
    """
    (folder / "sources").mkdir()
    for found in INCLUDE.iterdir():
        if found.name != "sources":
            (folder / found.name).symlink_to(found)
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
