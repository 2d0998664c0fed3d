"""A whole stack of its own: other ports, other state, data of which every row is due."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from local.net import free_ports
from local.settings import PORTS_FILE, Settings
from tests.e2e.driver import Driver

ROOT = Path(__file__).parents[2]
ANCHOR = date(2025, 6, 1)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """Start an empty stack, and take it down again."""
    names = [line.partition("=")[0] for line in PORTS_FILE.read_text().splitlines() if "_PORT=" in line]
    environment = os.environ | {
        "DATASTACK_STATE": str(tmp_path_factory.mktemp("stack") / "state"),
        "DATASTACK_DEMO_ANCHOR": ANCHOR.isoformat(),
        "DEMO_REPLAY_CHANGES": "0",
        "DEMO_REPLAY_SECONDS": "86400",  # what the tests take away from the partner's bucket is not brought again
        **{name: str(port) for name, port in zip(names, free_ports(len(names)), strict=True)},
    }
    command = [sys.executable, "-m", "local"]
    try:
        subprocess.run([*command, "up", "--no-load"], cwd=ROOT, env=environment, check=True, timeout=400)
        yield Driver(Settings.load(environment), ANCHOR)
    finally:
        subprocess.run([*command, "down"], cwd=ROOT, env=environment, check=True, timeout=120)
