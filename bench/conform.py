"""JSON lines to typed Parquet: the engine beside a Python loop over rows, and the engine on more and more rows."""

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bench import documents, process, report
from bench.child import VARIABLE
from bench.conform_child import rows_of
from bench.report import Result, goal

ROWS = 1_000_000
SIZES = (300_000, 3_000_000)  # on which memory is compared
SHARE = 10  # a loop gets a tenth of the rows, its time is scaled
REPETITIONS = 3
LOOP, OURS, ARROW = "Python loop over rows", "ours", "pyarrow.json"
_NOTES = {
    LOOP: "on a tenth of the rows, scaled",
    ARROW: "decimals become doubles; nothing hashed, checked or set aside",
}


class Race:
    """One bench in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lake = folder, documents.lake(folder)
        self._runs = 0

    def land(self, rows: int) -> Path:
        """Write so many records as they are landed; return a list of the parts."""
        print(f"generating {rows:,} records", flush=True)
        listed = self.folder / f"parts-{rows}.json"
        listed.write_text(json.dumps([part.model_dump(mode="json") for part in documents.land(self.folder, rows)]))
        return listed

    def run(self, name: str, child: str, parts: Path, rows: int, scale: int = 1) -> tuple[Result, dict[str, Any]]:
        """Run a contender once.

        :raises ContenderError: if it fails, or has other rows than were landed.
        """
        self._runs += 1
        told = self.folder / f"report-{self._runs}.json"
        command = [sys.executable, "-m", "bench.conform_child", child, str(self.folder), str(parts)]
        measured = process.run(command, {VARIABLE: str(told)}, self.folder / f"{child}.log")
        found = json.loads(told.read_text())
        if found["rows"] != rows:
            raise process.ContenderError(f"{name} wrote {found['rows']} of {rows} rows")
        seconds = found["seconds"] * scale
        result = Result(
            name=name,
            seconds=round(seconds, 2),
            rows=rows * scale,
            rows_per_second=round(rows * scale / seconds),
            peak_rss_mb=round(measured.peak_rss_mb, 1),
            process_seconds=round(measured.seconds, 2),
            cpu_seconds=round(measured.cpu_seconds, 2) if scale == 1 else None,  # its start can't be scaled
            others_cpu_seconds=round(measured.others_cpu_seconds, 2),
            note=_NOTES.get(name, ""),
        )
        print(f"{name}: {rows:,} rows in {found['seconds']:.2f} s", flush=True)
        return result, found

    def main_race(self, rows: int, peers: bool) -> list[Result]:
        """Loop and engine in turn, so that noise hits both; the best of three each, and the peer once."""
        whole, share = self.land(rows), self.land(rows // SHARE)
        self.run(OURS, "ours", share, rows // SHARE)  # not counted
        verified = self._compare(share, rows // SHARE)
        rounds: dict[str, list[Result]] = {LOOP: [], OURS: []}
        for _ in range(REPETITIONS):
            rounds[LOOP].append(self.run(LOOP, "loop", share, rows // SHARE, SHARE)[0])
            rounds[OURS].append(self.run(OURS, "ours", whole, rows)[0])
        best = [_best(runs) for runs in rounds.values()]
        floor = best[0].seconds or 0.0
        found = [replace(each, verified=verified) for each in best]
        if peers:
            found.append(self.run(ARROW, "arrow", whole, rows)[0])
        return [replace(each, ratio_to_floor=round((each.seconds or 0) / floor, 3)) for each in found]

    def _compare(self, parts: Path, rows: int) -> str:
        """See that loop and engine wrote the same rows."""
        written = [self.run(name, name, parts, rows)[1]["keys"] for name in ("loop", "ours")]
        for ours, theirs in zip_longest(*(rows_of(self.lake, keys) for keys in written)):
            if ours != theirs:
                raise process.ContenderError(f"rows differ: {ours} and {theirs}")
        return "rows equal"

    def scaling(self) -> list[Result]:
        """The engine on more and more rows."""
        sizes = [(rows, self.land(rows)) for rows in SIZES]
        return [replace(self.run(OURS, "ours", parts, rows)[0], name=f"ours, {rows:,} rows") for rows, parts in sizes]


def _best(runs: list[Result]) -> Result:
    fastest = min(runs, key=lambda run: run.seconds or 0)
    return replace(fastest, runs=[run.seconds or 0 for run in runs])


def goals(race: list[Result], scaled: list[Result]) -> list[dict[str, Any]]:
    """Compare with what the engine is meant to reach."""
    seconds = {result.name: result.seconds or 0 for result in race}
    found = [
        goal("faster than a Python loop over rows, at least 10 x", seconds[LOOP] / seconds[OURS], 10, at_least=True)
    ]
    if scaled:
        memory = [result.peak_rss_mb or 0 for result in scaled]
        found.append(goal("memory, 3 million rows against 0.3, at most 1.15 x", memory[1] / memory[0], 1.15))
    return found


def main(options: argparse.Namespace) -> int:
    """Measure; return 0."""
    with tempfile.TemporaryDirectory(prefix="bench-conform-") as folder:
        race = Race(Path(folder))
        results = race.main_race(options.rows, options.peers)
        scaled = race.scaling() if options.scaling else []
    met = goals(results, scaled)
    whole = options.rows == ROWS and options.scaling and options.peers
    output = options.output or report.RESULTS / ("conform.json" if whole else "conform.partial.tmp")
    report.write(output, {"contenders": results, "scaling": scaled}, {"rows": options.rows, "goals": met})
    print(report.page(results, scaled, met))
    print(f"\nWritten to {output}")
    return 0
