"""The repository's declarations, but for a contract that tolerates rows which don't fit: quarantine has its faults."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from datastack.contract.registry import load_source
from tests.integration.harness import ROOT

TOLERANT = ("promotions", "promotions.odcs.yaml")


@contextmanager
def tolerant(folder: Path) -> Iterator[None]:
    """Declare in an empty folder, and let everybody read there."""
    include = ROOT / "include"
    source, contract = TOLERANT
    for found in (*include.iterdir(), *(include / "contracts").iterdir()):
        if found not in (include / "contracts", include / "contracts" / source):
            link = folder / found.relative_to(include)
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(found)
    content = yaml.safe_load((include / "contracts" / source / contract).read_text())
    content["customProperties"].append({"property": "quarantine", "value": {"rows": 10, "share": 0.5}})
    (folder / "contracts" / source).mkdir()
    (folder / "contracts" / source / contract).write_text(yaml.safe_dump(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATASTACK_INCLUDE", str(folder))
        load_source.cache_clear()
        try:
            yield
        finally:
            load_source.cache_clear()
