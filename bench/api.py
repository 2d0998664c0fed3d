"""Pages of an API to the lake: the engine beside a bare loop and dlt's REST client, a rate limit, and memory."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from bench import process, report
from bench.api_child import LAKE
from bench.child import VARIABLE
from bench.contenders import PEERS_PYTHON, ROOT
from bench.race import best, say
from bench.report import Result, goal
from local import object_store
from local.net import free_ports

PAGES = 4000
SIZES = (200, 5000)  # pages, on which memory is compared
RATE, LIMITED_PAGES = 100, 1000
REPETITIONS = 5
BUCKET = "lake"
KINDS = {"cursor": "one after the other", "offset": "four at a time"}
BARE = {
    "bare": "httpx loop, bodies thrown away",
    "bare-file": "httpx loop, bodies to a file",
    "bare-uvloop": "httpx loop on uvloop, bodies thrown away",
}


class Race:
    """One bench: an API, an object store, a folder."""

    def __init__(self, folder: Path, lake: object_store.Server) -> None:
        self.folder, self._lake = folder, lake
        self.failures: list[str] = []

    @contextmanager
    def api(self, pages: int) -> Iterator[str]:
        """Serve so many pages; give the address."""
        [port] = free_ports(1)
        command = [sys.executable, "-m", "bench.api_server", str(port), str(pages), str(RATE)]
        server, url = subprocess.Popen(command, cwd=ROOT), f"http://127.0.0.1:{port}"
        try:
            for _ in range(100):
                try:
                    httpx.get(f"{url}/stats")
                    break
                except httpx.ConnectError:
                    time.sleep(0.1)
            yield url
        finally:
            server.kill()
            server.wait()

    def run(self, name: str, command: tuple[str, ...], pages: int, note: str = "") -> Result:
        """Run a contender once.

        :raises ContenderError: if it fails, or has read another number of pages.
        """
        told = self.folder / "report.json"
        admin = self._lake.admin
        paths = os.pathsep.join((str(ROOT), str(ROOT / "plugins")))
        lake = f"{admin.access_key} {admin.secret_key} {self._lake.endpoint} {BUCKET}"
        env = {VARIABLE: str(told), LAKE: lake, "PYTHONPATH": paths}
        measured = process.run(command, env, self.folder / "contender.log")
        found = json.loads(told.read_text())
        if found["rows"] != pages:
            raise process.ContenderError(f"{name} read {found['rows']} of {pages} pages")
        seconds = found["seconds"]
        say(f"{name}: {pages:,} pages in {seconds:.2f} s, {pages / seconds:,.0f} pages/s")
        return Result(
            name=name,
            seconds=round(seconds, 3),
            rows=pages,
            rows_per_second=round(pages / seconds),
            peak_rss_mb=round(measured.peak_rss_mb, 1),
            process_seconds=round(measured.seconds, 2),
            cpu_seconds=round(measured.cpu_seconds, 2),
            others_cpu_seconds=round(measured.others_cpu_seconds, 2),
            verified="all pages",
            runs=[round(seconds, 3)],
            note=note,
        )

    def main_race(self, url: str, pages: int) -> list[Result]:
        """Bare loops and engine in turn, so that noise hits all; the best of three each."""
        results = []
        for kind, how in KINDS.items():
            names = {**{each: f"{text}, {how}" for each, text in BARE.items()}, "ours": f"ours, {how}"}
            rounds = [
                [self.run(text, child(f"{each}-{kind}", url, pages), pages) for each, text in names.items()]
                for _ in range(REPETITIONS)
            ]
            fastest = [best([one[place] for one in rounds]) for place in range(len(names))]
            floor = fastest[0].seconds or 1.0
            results += [replace(each, ratio_to_floor=round((each.seconds or 0) / floor, 2)) for each in fastest]
        return results

    def peers(self, url: str, pages: int) -> list[Result]:
        """Dlt's REST client, which asks for one page after the other."""
        python = str(PEERS_PYTHON)
        note = "pages become Python objects; nothing is stored"
        return [
            self.run(
                f"dlt 1.31 RESTClient, {kind}",
                (python, "-m", "bench.peers.dlt_rest", kind, url, str(pages)),
                pages,
                note,
            )
            for kind in KINDS
        ]

    def limited(self, url: str) -> tuple[list[Result], list[dict[str, Any]]]:
        """The engine on a server that gives so many pages in any second: with that declared, and without."""
        results, figures = [], []
        for rate in (RATE, 0):
            name = f"ours, a server with a limit of {RATE}/s, {'declared' if rate else 'not declared'}"
            httpx.get(f"{url}/stats")
            result = self.run(name, child("ours-limited", url, LIMITED_PAGES, rate), LIMITED_PAGES)
            seen = httpx.get(f"{url}/stats").json()
            span = seen["accepted"][-1] - seen["accepted"][0]
            used = (len(seen["accepted"]) - 1) / span / RATE
            figures.append({"declared": bool(rate), "share_of_limit": round(used, 3), "too_many": seen["refused"]})
            results.append(replace(result, note=f"{used:.1%} of the limit used, {seen['refused']} times 429"))
        return results, figures

    def scaling(self) -> list[Result]:
        """The engine on few and many pages."""
        results = []
        for pages in SIZES:
            with self.api(pages) as url:
                results.append(self.run(f"ours, {pages:,} pages", child("ours-offset", url, pages), pages))
        return results


def child(name: str, url: str, pages: int, rate: int = 0) -> tuple[str, ...]:
    """Command of a contender that is ours to write."""
    return (sys.executable, "-m", "bench.api_child", name, url, str(pages), *([str(rate)] if rate else []))


def goals(race: list[Result], limited: list[dict[str, Any]], scaled: list[Result]) -> list[dict[str, Any]]:
    """Compare with what the engine is meant to reach."""
    speed = {result.name: result.rows_per_second or 0 for result in race}
    found = [
        goal(
            f"pages/s of a bare loop's, {how}, at least 0.9 x",
            speed[f"ours, {how}"] / speed[f"{BARE['bare']}, {how}"],
            0.9,
            at_least=True,
        )
        for how in KINDS.values()
    ]
    declared = next(each for each in limited if each["declared"])
    found.append(goal("share of a declared limit used, at least 0.95", declared["share_of_limit"], 0.95, at_least=True))
    found.append(goal(f"429s in {LIMITED_PAGES:,} pages, at most 1 %", declared["too_many"] / LIMITED_PAGES, 0.01))
    if scaled:
        memory = [result.peak_rss_mb or 0 for result in scaled]
        few, many = SIZES
        found.append(goal(f"memory, {many:,} pages against {few}, at most 1.15 x", memory[1] / memory[0], 1.15))
    return found


def main(options: argparse.Namespace) -> int:
    """Measure; return 0."""
    if options.peers and not PEERS_PYTHON.exists():
        say("The peers are not installed: run `make bench`, or leave them out by --without-peers")
        return 2
    say(f"Reads {options.pages:,} pages of 100 records from a local server: about 2 minutes; leave the machine alone.")
    with tempfile.TemporaryDirectory(prefix="bench-api-") as folder:
        identity = object_store.Identity("bench", "bench-access-key", "bench-secret-key")
        with object_store.Server(Path(folder) / "s3", [identity]) as lake:
            lake.create_buckets([BUCKET])
            race = Race(Path(folder), lake)
            with race.api(options.pages) as url:
                results = race.main_race(url, options.pages)
                if options.peers:
                    results += race.peers(url, options.pages)
            with race.api(LIMITED_PAGES) as url:
                limited, figures = race.limited(url)
            scaled = race.scaling() if options.scaling else []
    met = goals(results, figures, scaled)
    whole = options.pages == PAGES and options.peers and options.scaling
    output = options.output or report.RESULTS / ("api.json" if whole else "api.partial.tmp")
    about = {"pages": options.pages, "limit": RATE, "limited": figures, "goals": met}
    report.write(output, {"contenders": results, "limited_runs": limited, "scaling": scaled}, about)
    say(report.page(results, limited + scaled, met, "pages"))
    say(f"\nWritten to {output}")
    return 0
