"""SQL templates of include/sql, with identifiers quoted into their places."""

from functools import cache

from datastack.contract.registry import include_dir


@cache
def _template(name: str) -> str:
    text = (include_dir() / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


def sql(name: str, **parts: str) -> str:
    """Return one statement of include/sql with its ``{parts}`` filled in.

    :param name: file below include/sql, without its ending, as ``postgres/merge``.
    :param parts: SQL text: pass names through :func:`identifier` or :func:`identifiers` first.
    """
    return _template(name).format(**parts)


def identifier(*path: str) -> str:
    """Quote a name, or a dotted path of names."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in path)


def identifiers(names: tuple[str, ...] | list[str]) -> str:
    """Quote several names, separated by commas."""
    return ", ".join(identifier(name) for name in names)
