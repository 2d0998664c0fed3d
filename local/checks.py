"""What must hold before the stack starts. Each failure is one line that says what to do."""

from __future__ import annotations

import shutil

from local.net import is_free
from local.settings import PORTS_FILE, REPO, Settings

NEEDED_BYTES = 7 * 1024**3


class CheckError(RuntimeError):
    """The stack cannot start; the message says what to do."""


def check_ports(settings: Settings) -> None:
    """Raise CheckError naming the first port that another program holds."""
    for name, port in settings.ports.items():
        if not is_free(port):
            raise CheckError(
                f"Port {port} is in use by another program: stop it, or choose another port "
                f"with {name}=… in the environment or in {PORTS_FILE.relative_to(REPO)}."
            )


def check_disk(settings: Settings) -> None:
    """Raise CheckError when the state folder's disk is nearly full."""
    folder = next(path for path in (settings.state, *settings.state.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise CheckError(
            f"Only {free / 1024**3:.1f} GB are free where {settings.state} lives and the stack needs "
            f"{NEEDED_BYTES / 1024**3:.0f} GB: make room, or set DATASTACK_STATE to a folder on another disk."
        )
