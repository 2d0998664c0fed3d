"""Templates of what is asked of an API: ``{slice_start}``, ``{slice_end:%Y-%m-%d}``, ``{campaign_id}``.

``{name}`` and ``{name:format}`` are replaced; braces with anything else in them, as GraphQL and JSON have them, stay.
A time without a format is written as ``2026-01-31T00:00:00Z``. Formats of times are ``epoch`` (seconds since 1970),
``epoch_ms`` (milliseconds), and those of Python's ``strftime``, in UTC.
"""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

SLICE = ("slice_start", "slice_end")
_PLACE = re.compile(r"\{([a-z_][a-z0-9_]*)(?::([^{}]*))?\}")
_EPOCH = {"epoch": 1, "epoch_ms": 1000}


def names(template: Any) -> set[str]:
    """Names that a template, or the templates within lists and mappings, asks for."""
    if isinstance(template, str):
        return {found[1] for found in _PLACE.finditer(template)}
    if isinstance(template, Mapping):
        return {name for value in template.values() for name in names(value)}
    return {name for value in template for name in names(value)} if isinstance(template, list | tuple) else set()


def check(template: Any, known: Collection[str]) -> None:
    """Refuse what :func:`fill` could not fill.

    :raises ValueError: naming what is not known, or not a format.
    """
    if unknown := sorted(names(template) - {*known}):
        others = ", ".join(f"{{{name}}}" for name in sorted(known)) or "none"
        raise ValueError(f"{{{unknown[0]}}} is not known here; known: {others}")
    for text in _texts(template):
        for name, form in _PLACE.findall(text):
            if form and name not in SLICE:
                raise ValueError(f"{{{name}:{form}}}: only times have a format: write {{{name}}}")
            if form and form not in _EPOCH and "%" not in form:
                raise ValueError(f"{{{name}:{form}}}: not a format of times: use epoch, epoch_ms, or as %Y-%m-%d")


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """Put values into a template, or into the templates within lists and mappings.

    A template that is nothing but one place, in a JSON body, keeps its value's type: an epoch is a number there.
    """
    if isinstance(template, str):
        whole = _PLACE.fullmatch(template)
        return _value(whole, values) if whole else fill_text(template, values)
    if isinstance(template, Mapping):
        return {name: fill(value, values) for name, value in template.items()}
    return [fill(value, values) for value in template] if isinstance(template, list | tuple) else template


def fill_text(template: str, values: Mapping[str, Any]) -> str:
    """Put values into a template as text."""
    return _PLACE.sub(lambda found: str(_value(found, values)), template)


def _value(found: re.Match[str], values: Mapping[str, Any]) -> Any:
    value, form = values[found[1]], found[2]
    if not isinstance(value, datetime):
        return value
    if form in _EPOCH:
        return int(value.timestamp() * _EPOCH[form])
    return value.strftime(form) if form else value.isoformat().replace("+00:00", "Z")


def _texts(template: Any) -> list[str]:
    if isinstance(template, str):
        return [template]
    within = template.values() if isinstance(template, Mapping) else template
    return [text for each in within for text in _texts(each)] if isinstance(template, Mapping | list | tuple) else []
