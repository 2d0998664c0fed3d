"""The one error that every wrong declaration ends in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic


class DeclarationError(ValueError):
    """A source file or contract is wrong: names the file, the field and the remedy."""

    def __init__(self, file: Path, field: str, problem: str, remedy: str) -> None:
        self.file, self.field, self.problem, self.remedy = file, field, problem, remedy
        super().__init__(f"{file}: {field}: {problem}. {remedy}")

    def at(self, prefix: str) -> "DeclarationError":
        """Return the same error with its field named from ``prefix`` on."""
        return DeclarationError(self.file, f"{prefix}.{self.field}", self.problem, self.remedy)


def from_validation(file: Path, error: pydantic.ValidationError, content: Any = None) -> DeclarationError:
    """Turn the first finding of pydantic into a declaration error.

    :param content: what was validated. Where it may be of several kinds, pydantic puts the kind's name into the path to
        a field; only steps that the content has are kept.
    """
    first = error.errors()[0]
    path = first["loc"] if content is None else _written(first["loc"], content, first["type"] == "missing")
    field = ".".join(str(part) for part in path) or "(whole file)"
    given = "" if first["type"] == "missing" else f" (found {first['input']!r:.60})"
    remedy = {
        "missing": "Add the field.",
        "extra_forbidden": "Remove it or correct its spelling.",
    }.get(first["type"], "Correct the value.")
    more = f" {error.error_count() - 1} more finding(s) in this file." if error.error_count() > 1 else ""
    return DeclarationError(file, field, first["msg"] + given, remedy + more)


def _written(path: tuple[int | str, ...], content: Any, is_missing: bool) -> list[int | str]:
    """Return the steps of a path that were written, and the last one if it is what is missing."""
    found: list[int | str] = []
    for place, step in enumerate(path):
        if isinstance(content, Mapping) and (step in content or (is_missing and place == len(path) - 1)):
            found, content = [*found, step], content.get(step)
        elif isinstance(content, list) and isinstance(step, int):
            found, content = [*found, step], content[step]
    return found
