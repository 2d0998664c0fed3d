"""Imported once by the process that workers are forked from: what costs a try more time than its work.

Here, too, an API's pages are made to land in small parts, so that there is something between two of them, and its
client to be less patient: faults come by the hundred.
"""

import importlib
import sys
from pathlib import Path

import tenacity

from tests.faults import steps, worker  # noqa: F401 the worker's own module too

sys.path.append(str(Path(__file__).parents[2] / "plugins"))  # as pytest does it for itself

for _module in steps.PRELOAD:
    importlib.import_module(_module)

importlib.import_module("datastack.codec.preload")

from datastack.lake.parts import LinesParts  # noqa: E402 can be found only now
from datastack.operators import landing  # noqa: E402
from datastack.source.rest import client  # noqa: E402

_PAGES = 2  # in a part


class SmallParts(LinesParts):
    """Lands a part after a few pages, whatever their size."""

    _pages = 0

    def _wrote(self, rows: int) -> None:
        self._rows += rows
        self._pages += 1
        if self._pages % _PAGES == 0:
            self._close()


setattr(landing, "LinesParts", SmallParts)  # noqa: B010 a class is not assigned otherwise
setattr(client, "_backoff", tenacity.wait_random_exponential(multiplier=0.05, max=1))  # noqa: B010
