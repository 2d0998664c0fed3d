"""Fixtures for all tests: real servers, started once, and declarations that a test may bend."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

os.environ.setdefault("SODA_CORE_TELEMETRY_ENABLED", "false")


@pytest.fixture
def declarations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Copy include/ and point the registry at the copy; the function edits a file in it and returns its path."""
    from datastack.contract import registry

    include = tmp_path / "include"
    shutil.copytree(ROOT / "include", include, ignore=shutil.ignore_patterns("target", "logs"))
    monkeypatch.setenv("DATASTACK_INCLUDE", str(include))
    registry.load_source.cache_clear()

    def edit(name: str, old: str, new: str) -> Path:
        file = include / name
        text = file.read_text()
        assert old in text, f"{old!r} is not in {name}: the test edits nothing"
        file.write_text(text.replace(old, new, 1))
        return file

    yield edit
    registry.load_source.cache_clear()
