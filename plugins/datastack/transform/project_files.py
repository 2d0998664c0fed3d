"""Tells by content whether the manifest was made from the dbt project's files as they stand.

Times would not do: a checkout or an image gives every file the same. So the manifest carries a digest of the files that
it was made from, in its metadata, where dbt puts what it finds in variables of this prefix.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from datastack.contract.errors import DeclarationError
from datastack.contract.registry import include_dir

DIGEST = "DATASTACK_FILES"
DIGEST_VARIABLE = f"DBT_ENV_CUSTOM_ENV_{DIGEST}"
REMEDY = "Run `make generate`, which lets dbt parse the project."
_READ_BY_DBT = frozenset({".sql", ".yml", ".yaml", ".md", ".csv"})
_WRITTEN_BY_DBT = frozenset({"target", "logs"})
_HEAD = 8192  # characters; dbt writes the metadata first


def project_dir() -> Path:
    """Return the folder of the dbt project."""
    return include_dir() / "dbt"


def manifest_file() -> Path:
    """Return where dbt writes what it made of the project."""
    return project_dir() / "target" / "manifest.json"


def failure_file() -> Path:
    """Return where the last failure to parse the project is kept: what dbt said, and of which files."""
    return project_dir() / "target" / "parse_failure.json"


def files_digest() -> str:
    """Digest of names and content of all files that dbt reads: some milliseconds for a hundred files."""
    digest = hashlib.sha256()
    for file in sorted(_project_files(project_dir()), key=lambda file: file.relative_to(project_dir()).as_posix()):
        digest.update(f"{file.relative_to(project_dir()).as_posix()}\n".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def require_current() -> Path:
    """Return the manifest's file if it was made from the project's files as they stand. Reads its head only.

    :raises DeclarationError: if it is missing, was made from other files, or dbt can't parse the project as it stands.
    """
    file, digest = manifest_file(), files_digest()
    made_from = _metadata(file).get("env", {}).get(DIGEST) if file.exists() else None
    if made_from == digest:
        return file
    if failure := _failure(digest):
        raise DeclarationError(project_dir(), "(project)", f"dbt can't parse it: {failure}", f"Correct it. {REMEDY}")
    if not file.exists():
        raise DeclarationError(file, "(whole file)", "there is no such file", REMEDY)
    if made_from is None:
        problem = "dbt wrote it by hand, so nobody knows from which files"
        raise DeclarationError(file, f"metadata.env.{DIGEST}", problem, REMEDY)
    raise DeclarationError(file, "(whole file)", "was made before the project's files last changed", REMEDY)


def _project_files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name not in _WRITTEN_BY_DBT:
            found += _project_files(entry)
        elif entry.suffix in _READ_BY_DBT and not entry.name.startswith("."):
            found.append(entry)
    return found


def _metadata(file: Path) -> dict[str, Any]:
    """Read the manifest's metadata without the rest of it; empty if it does not begin with them."""
    with file.open(encoding="utf-8") as opened:
        head = opened.read(_HEAD)
    before, found, rest = head.partition('"metadata":')
    if not found or before.strip() != "{":
        return {}
    try:
        metadata: dict[str, Any] = json.JSONDecoder().raw_decode(rest.lstrip())[0]
    except json.JSONDecodeError:
        return {}
    return metadata


def _failure(digest: str) -> str | None:
    """What dbt said when it could not parse just these files."""
    if not failure_file().exists():
        return None
    failure: dict[str, str] = json.loads(failure_file().read_text(encoding="utf-8"))
    return failure["message"] if failure["files"] == digest else None
