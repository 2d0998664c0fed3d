"""The bench's figures are those of the processes it ran, and its result file is what a reader expects."""

import json
import sys
from pathlib import Path

import pytest

from bench import movement, report, tables
from bench.process import ContenderError, run
from bench.race import best
from bench.report import Result


def result(name: str, seconds: float | None, rows: int = 1000, peak: float = 100.0) -> Result:
    return Result(name, seconds, rows, peak_rss_mb=peak, runs=[seconds] if seconds else [])


def test_memory_and_cpu_of_a_whole_process_tree_are_taken(tmp_path: Path) -> None:
    hold = "import time; held = b'x' * 100_000_000; time.sleep(0.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}], check=True)"
    measured = run([sys.executable, "-c", parent], {}, tmp_path / "log")
    assert 100 < measured.peak_rss_mb < 250
    assert measured.seconds > 0.5
    assert measured.cpu_seconds > 0


def test_a_failing_contender_shows_the_end_of_its_output(tmp_path: Path) -> None:
    with pytest.raises(ContenderError, match=r"ended with 3 after .*\nno such table"):
        run([sys.executable, "-c", "import sys; print('no such table'); sys.exit(3)"], {}, tmp_path / "log")


def test_the_best_run_keeps_the_largest_memory_and_all_times() -> None:
    found = best([result("a", 3.0, peak=10), result("a", 1.0, peak=30), result("a", 2.0, peak=20)])
    assert (found.seconds, found.peak_rss_mb, found.runs) == (1.0, 30, [3.0, 1.0, 2.0])


def test_goals_are_met_and_missed() -> None:
    race = [
        result("floor: COPY | COPY", 10.0, peak=9),
        result("ours", 14.0, peak=390),
        result("ours, as an Airflow task", 16.0, peak=900),
        result("Sling 1.4.11", 90.0),
        result("dlt 1.31, connectorx", 80.0),
        result("dlt 1.31, pyarrow", 60.0),
        result("SqlToS3 + S3ToSql", None),
    ]
    scaled = [result(f"ours: promotions, {rows}", rows / 1000, rows, peak=300) for rows in (10, 100, 700)]
    assert {goal["goal"].split(",")[0]: (goal["measured"], goal["met"]) for goal in movement.goals(race, scaled)} == {
        "total time of the floor's": (1.4, True),
        "faster than Sling": (6.43, False),
        "faster than the best dlt": (4.29, False),
        "peak memory of a moving process": (390, True),
        "time a row": (1.0, True),
        "memory": (1.0, True),
    }


def test_the_file_has_all_figures_and_no_half_file_is_left(tmp_path: Path) -> None:
    path = tmp_path / "movement.json"
    report.write(path, {"contenders": [result("ours", 2.0)], "scaling": []}, {"rows": 1000})
    content = json.loads(path.read_text())
    assert content["contenders"][0].keys() >= {
        "name", "seconds", "rows", "rows_per_second", "peak_rss_mb", "ratio_to_floor", "note",
    }  # fmt: skip
    assert content["machine"]["cores"] >= 1
    assert [file.name for file in tmp_path.iterdir()] == ["movement.json"]


def test_the_table_shows_what_failed() -> None:
    failed = Result("Sling", None, 1000, note="failed: no network")
    lines = report.table([result("ours", 2.0), failed]).splitlines()
    assert lines[1].split()[:3] == ["ours", "2.00", "1,000"]
    assert lines[2].split()[:3] == ["Sling", "-", "1,000"]
    assert lines[2].endswith("failed: no network")


def test_every_stream_has_a_contract_that_the_engine_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import declarations
    from datastack.contract.registry import load_source

    declarations.write(tmp_path, tables.streams())
    monkeypatch.setenv("DATASTACK_INCLUDE", str(tmp_path))
    load_source.cache_clear()
    try:
        declared = load_source(declarations.SOURCE)
    finally:
        load_source.cache_clear()
    assert declared.contracts.keys() == tables.streams().keys()
    for name, table in tables.streams().items():
        assert [(column.name, column.type, not column.required) for column in declared.contracts[name].columns] == list(
            table.columns
        )
