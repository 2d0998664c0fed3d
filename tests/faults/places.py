"""What people call the surroundings of an event on the wire: ``lake: write part``, ``warehouse: commit``."""

from tests.faults.wire import CONNECT

_OBJECTS = (
    ("_manifest", "manifest"),
    ("landing/", "part"),
    ("conformed/", "part"),
    ("quarantine/", "part"),
    ("plan.json", "plan"),
)
_WAREHOUSE = (("commit", "commit"), ("ops.", "ledger"), ("copy", "rows"), ("delete from", "rows"), ("insert", "rows"))


def place(server: str, event: str) -> str:
    """Group events for people."""
    if event == CONNECT:
        return f"{server}: connect"
    match server:
        case "lake":
            return f"lake: {_lake(event)}"
        case "api":
            return f"api: {'token' if 'token' in event else 'page'}"
        case "source":
            return f"source: {'rows' if event.startswith('copy') and 'count(' not in event else 'query'}"
        case "warehouse":
            return f"warehouse: {next((name for part, name in _WAREHOUSE if part in event), 'query')}"
    return f"{server}: {'list' if 'list-type' in event else 'file'}"


def _lake(event: str) -> str:
    """A checkpoint ends by deleting what it consists of; before that, it is begun and added to."""
    if event.startswith("DELETE"):
        return "end checkpoint"
    objects = next((name for part, name in _OBJECTS if part in event), "checkpoint")
    return f"{'read' if event.startswith(('GET', 'HEAD')) else 'write'} {objects}"
