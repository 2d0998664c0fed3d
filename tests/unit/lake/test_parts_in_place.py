"""Parts that a manifest is about to name: each stands in the lake, of the size that was written."""

from pathlib import Path

import pyarrow.fs as pafs
import pytest

from datastack.lake.manifest import ManifestError, Part
from datastack.lake.store import Bucket, LakeStore

KEYS = ["conformed/shop/sales/one.parquet", "conformed/shop/sales/two.parquet", "quarantine/shop/sales/one.parquet"]


@pytest.fixture
def lake(tmp_path: Path) -> LakeStore:
    for bucket in ("lake", "landing"):
        (tmp_path / bucket).mkdir()
    root = pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem())
    return LakeStore(lake=Bucket(root, "lake"), landing=Bucket(root, "landing"))


@pytest.fixture
def parts(lake: LakeStore, tmp_path: Path) -> list[Part]:
    for key in KEYS:
        for bucket in ("lake", "landing"):
            (tmp_path / bucket / key).parent.mkdir(parents=True, exist_ok=True)
        lake.write(key, b"content")
    return [Part(key=key, rows=1, bytes=7, sha256="0" * 64) for key in KEYS]


def test_parts_that_stand_there_are_fine(lake: LakeStore, parts: list[Part]):
    lake.require(parts)
    lake.require([])


@pytest.mark.parametrize("key", KEYS)
def test_a_part_that_is_lost_is_named(lake: LakeStore, parts: list[Part], key: str):
    lake.delete(key)
    with pytest.raises(ManifestError, match=rf"{lake.uri(key)} is not there\. Clear the task that extracts it"):
        lake.require(parts)


@pytest.mark.parametrize("key", KEYS)
def test_a_part_that_was_cut_is_named(lake: LakeStore, parts: list[Part], key: str):
    lake.write(key, b"cont")
    with pytest.raises(ManifestError, match=rf"{lake.uri(key)} is not what .* \(4 bytes, expected 7\)"):
        lake.require(parts)
