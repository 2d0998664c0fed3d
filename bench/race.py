"""Runs contenders one at a time on clean servers, and proves of each that it moved what the source has."""

import json
import re
from dataclasses import replace
from typing import Any

import psycopg

from bench import contenders, declarations, process, tables
from bench.contenders import INCLUDE, Contender
from bench.process import ContenderError
from bench.report import Result
from bench.servers import Servers
from bench.tables import Proof, Table

FULL_ROWS = 3_000_000  # for which contenders' expected times hold


class Race:
    """One bench on running servers."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.floor_seconds: float | None = None
        self.failures: list[str] = []
        self._proofs: dict[str, Proof] = {}
        declarations.write(servers.folder / INCLUDE, tables.streams())

    def fill(self, table: Table, rows: int) -> int:
        """Generate a source table; return its number of rows."""
        say(f"generating {rows:,} rows of {table.path}")
        with self.servers.source_db() as db:
            tables.fill(db, table, rows)
            found = self._proofs[table.path] = tables.proof(db, table.path, table.names)
        return found.rows

    def attempt(self, contender: Contender) -> Result:
        """Run a contender once; a failure is told, remembered, and given as a result without figures."""
        try:
            return self.run(contender)[0]
        except ContenderError as error:
            say(f"{contender.name} FAILED: {error}")
            self.failures.append(contender.name)
            reason = str(error).rstrip().splitlines()[-1]  # of a traceback, the error itself
            return Result(contender.name, None, self._rows(contender), note=f"failed: {reason}")

    def run(self, contender: Contender, keep_lake: bool = False) -> tuple[Result, dict[str, Any]]:
        """Run a contender once; return its result and what it reported.

        Its targets are emptied first, and the lake.

        :param keep_lake: whether it is to find what the one before it has left there.
        :raises ContenderError: if it fails, or its targets do not hold what the source has.
        """
        rows = self._rows(contender)
        about = contender.expected * rows / contender.scale / FULL_ROWS
        say(f"{contender.name}: {rows // contender.scale:,} rows, about {max(about, 1):.0f} s on two cores")
        if not keep_lake:
            self.servers.empty_lake()
        self._clean(contender)
        report = self.servers.folder / "report.json"
        report.write_text("{}")
        env, log = contenders.environment(contender, self.servers, report), self.servers.folder / "contender.log"
        measured = process.run(contender.command, env, log)
        told = json.loads(report.read_text())
        seconds = told.get("seconds", measured.seconds) * contender.scale
        result = Result(
            name=contender.name,
            seconds=round(seconds, 3),
            rows=rows,
            rows_per_second=round(rows / seconds),
            peak_rss_mb=round(measured.peak_rss_mb, 1),
            process_seconds=round(measured.seconds * contender.scale, 3),
            cpu_seconds=round(measured.cpu_seconds * contender.scale, 2),
            others_cpu_seconds=round(measured.others_cpu_seconds, 2),
            ratio_to_floor=round(seconds / self.floor_seconds, 2) if self.floor_seconds else None,
            verified=self._verify(contender),
            runs=[round(seconds, 3)],
            steps=told.get("steps") or _steps(log.read_text(errors="replace")),
            note=contender.note,
        )
        say(f"    {result.seconds} s, {result.rows_per_second:,} rows/s, {result.peak_rss_mb} MB, {result.verified}")
        return result, told

    def _rows(self, contender: Contender) -> int:
        return self._proofs[contender.table.path].rows * max(len(contender.targets), 1) * contender.scale

    def _clean(self, contender: Contender) -> None:
        with self.servers.warehouse_db() as db:
            ledger = db.execute("select 'ops.' || tablename from pg_tables where schemaname = 'ops'").fetchall()
            db.execute(f"truncate {', '.join(table for (table,) in ledger)} restart identity")
            for schema in {target.split(".")[0] for target in contender.targets}:
                db.execute(f"drop schema if exists {schema} cascade")
                db.execute(f"create schema {schema} authorization loader")
            for target in contender.targets if contender.target_exists else ():
                tables.create(db, contender.table, target)
            db.execute("checkpoint")  # what others have left to write must not slow this one down

    def _verify(self, contender: Contender) -> str:
        """Compare each target with the source; :raises ContenderError: if they differ."""
        table, expected = contender.table, self._proofs[contender.table.path]
        columns = table.typed if contender.is_peer else table.names
        for target in contender.targets:
            try:
                with self.servers.warehouse_db() as db:
                    found = tables.proof(db, target, columns)
            except psycopg.Error as error:
                raise ContenderError(f"{target} can't be compared: {error}") from error
            if found != expected:
                return self._differences(contender, target, found)
        if not contender.targets:
            return "with the next"
        return "equal after casts" if contender.is_peer else "equal"

    def _differences(self, contender: Contender, target: str, found: Proof) -> str:
        """Name the columns that differ; only a peer may change values, and nobody may lose rows."""
        table, expected = contender.table, self._proofs[contender.table.path]
        if found.rows != expected.rows:
            raise ContenderError(f"{target} has {found.rows} rows, {table.path} has {expected.rows}")
        different = []
        with self.servers.source_db() as source, self.servers.warehouse_db() as warehouse:
            for column, typed in zip(table.names, table.typed, strict=True):
                if tables.proof(source, table.path, [column]) != tables.proof(warehouse, target, [typed]):
                    different.append(column)
        text = f"differs: {', '.join(different) or 'which rows go together'}"
        if not contender.is_peer:
            raise ContenderError(f"{target} {text}")
        return text


def _steps(log: str) -> dict[str, float]:
    """Seconds of the steps that the engine tells apart in its log; those of several streams together."""
    found: dict[str, float] = {}
    for step, seconds in re.findall(r": (\w+) took (\d+\.\d+) s", log):
        found[step] = round(found.get(step, 0.0) + float(seconds), 2)
    return found


def say(text: str) -> None:
    """Tell a person what is going on."""
    print(text, flush=True)


def best(results: list[Result]) -> Result:
    """Fastest of one contender's runs, with the seconds of all and the largest memory."""
    fastest = min(results, key=lambda result: result.seconds or float("inf"))
    return replace(
        fastest,
        runs=[second for result in results for second in result.runs],
        peak_rss_mb=max(result.peak_rss_mb or 0 for result in results),
    )
