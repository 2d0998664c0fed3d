"""Reads which checks of a domain's marts are waived: include/waivers/<domain>.yml.

They stand apart from the mart contracts, as Soda's contract language has no place for them at every kind of check.
"""

from pathlib import Path
from typing import Any

import pydantic

from datastack.contract.errors import DeclarationError, from_validation
from datastack.contract.model import Frozen, Identifier, Waiver
from datastack.contract.odcs import read_yaml
from datastack.contract.promises import check_waiver
from datastack.contract.registry import include_dir
from datastack.quality.outcomes import Note
from datastack.quality.soda_contract import check_paths

_FIRM = ("checks.schema", "checks.row_count")  # without them a gate is open on nothing


class _MartWaiver(Waiver):
    mart: Identifier


class _File(Frozen):
    waivers: tuple[_MartWaiver, ...]


def waivers_file(domain: str) -> Path:
    """Return where the waivers of a domain's marts stand, if it has any."""
    return include_dir() / "waivers" / f"{domain}.yml"


def mart_notes(domain: str, marts: dict[str, dict[str, Any]]) -> dict[str, dict[str, Note]]:
    """Waived checks of a domain, by mart and by the path that Soda knows a check by.

    :param marts: contents of the mart contracts.
    :raises DeclarationError: if the file is wrong, names a mart that there is not or a check that may not be waived,
        or a waiver lasts too long.
    """
    file = waivers_file(domain)
    found: dict[str, dict[str, Note]] = {mart: {} for mart in marts}
    for place, waiver in enumerate(_read(file).waivers if file.exists() else ()):
        if waiver.mart not in marts:
            problem, remedy = f"{waiver.mart!r} has no contract", f"Use one of {', '.join(marts)}."
            raise DeclarationError(file, f"waivers.{place}.mart", problem, remedy)
        known = [path for path in check_paths(marts[waiver.mart]) if not path.startswith(_FIRM)]
        check_waiver(file, f"waivers.{place}", waiver, known)
        if waiver.check in found[waiver.mart]:
            problem = f"{waiver.check!r} of {waiver.mart} is waived twice"
            raise DeclarationError(file, f"waivers.{place}.check", problem, "Keep one of them.")
        found[waiver.mart][waiver.check] = Note(waiver=waiver)
    return found


def _read(file: Path) -> _File:
    content = read_yaml(file)
    try:
        return _File.model_validate(content)
    except pydantic.ValidationError as error:
        raise from_validation(file, error, content) from error
