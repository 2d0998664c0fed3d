"""Imported once by the process that workers are forked from: what costs a try more time than its work."""

import importlib
import sys
from pathlib import Path

from tests.faults import steps, worker  # noqa: F401 the worker's own module too

sys.path.append(str(Path(__file__).parents[2] / "plugins"))  # as pytest does it for itself

for _module in steps.PRELOAD:
    importlib.import_module(_module)

importlib.import_module("datastack.codec.preload")
