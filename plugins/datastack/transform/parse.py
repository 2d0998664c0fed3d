"""Lets dbt parse the project, so that its manifest says what it was made from, and a failure is remembered."""

import json
import os
import re
import subprocess
import sys

from datastack.contract.errors import DeclarationError
from datastack.transform.project_files import (
    DIGEST_VARIABLE,
    REMEDY,
    failure_file,
    files_digest,
    manifest_file,
    project_dir,
    require_current,
)

_DBT = "from dbt.cli.main import cli; cli()"
_NOISE = re.compile(r"\x1b\[[0-9;]*m|^\d\d:\d\d:\d\d(\.\d+)?\s+", re.MULTILINE)


def make_manifest() -> str:
    """Have the manifest made from the project's files as they stand; nothing to do if it was.

    :raises DeclarationError: if dbt can't parse the project, with what dbt says; the DAGs' import error says it too.
    """
    try:
        return f"{require_current()} is what dbt makes of the project"
    except DeclarationError:
        _parse()
    return f"{manifest_file()} was made"


def _parse() -> None:
    digest = files_digest()
    failure_file().unlink(missing_ok=True)
    folder = str(project_dir())
    # Without partial parsing: what dbt keeps from an earlier parse has that one's metadata.
    arguments = ["parse", "--no-partial-parse", "--project-dir", folder, "--profiles-dir", folder]
    ended = subprocess.run(  # noqa: S603 our own arguments
        [sys.executable, "-c", _DBT, "--quiet", "--no-use-colors", *arguments],
        env={**os.environ, DIGEST_VARIABLE: digest},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode == 0:
        return
    message = _said(ended.stdout + ended.stderr)
    failure_file().parent.mkdir(exist_ok=True)
    failure_file().write_text(json.dumps({"files": digest, "message": message}), encoding="utf-8")
    raise DeclarationError(project_dir(), "(project)", f"dbt can't parse it: {message}", f"Correct it. {REMEDY}")


def _said(output: str) -> str:
    """What dbt printed, without colours, times and empty lines."""
    lines = (line.rstrip() for line in _NOISE.sub("", output).splitlines())
    return "\n".join(line for line in lines if line).rstrip(".") or "it says nothing"
