"""The one error that every wrong declaration ends in."""

from collections.abc import Sequence
from pathlib import Path

import pydantic


class DeclarationError(ValueError):
    """A source file or contract is wrong: names the file, the field and the remedy."""

    def __init__(self, file: Path, field: str, problem: str, remedy: str) -> None:
        self.file, self.field, self.problem, self.remedy = file, field, problem, remedy
        super().__init__(f"{file}: {field}: {problem}. {remedy}")

    def at(self, prefix: str) -> "DeclarationError":
        """Return the same error with its field named from ``prefix`` on."""
        return DeclarationError(self.file, f"{prefix}.{self.field}", self.problem, self.remedy)


def from_validation(file: Path, error: pydantic.ValidationError, kinds: Sequence[str] = ()) -> DeclarationError:
    """Turn the first finding of pydantic into a declaration error.

    :param kinds: values of the field that tells kinds of file apart; pydantic puts them before the field's name.
    """
    first = error.errors()[0]
    path = first["loc"][1:] if first["loc"] and first["loc"][0] in kinds else first["loc"]
    field = ".".join(str(part) for part in path) or "(whole file)"
    given = "" if first["type"] == "missing" else f" (found {first['input']!r:.60})"
    remedy = {
        "missing": "Add the field.",
        "extra_forbidden": "Remove it or correct its spelling.",
    }.get(first["type"], "Correct the value.")
    more = f" {error.error_count() - 1} more finding(s) in this file." if error.error_count() > 1 else ""
    return DeclarationError(file, field, first["msg"] + given, remedy + more)
