"""Names of files: which are matched, and which window each is for."""

from datetime import UTC, datetime, timedelta

import pytest

from datastack.contract.delivered import Delivered
from datastack.contract.file_sources import FileSource, Period
from datastack.contract.slice import Slice
from datastack.operators.arrivals import Reach, expected, slice_of
from datastack.operators.file_landing import suffix
from datastack.source.files.globs import fixed_prefix, matches, may_hold


@pytest.mark.parametrize(("pattern", "yes", "no"), [
    ("*.csv", ["a.csv", "a b.csv", "[x].csv"], ["a.csv.gz", "in/a.csv", "a.CSV", ".a.csv", "a.csv~"]),
    ("in/*/x.csv", ["in/2019/x.csv"], ["in/x.csv", "in/2019/11/x.csv", "in/.git/x.csv"]),
    ("**/x.csv", ["x.csv", "in/x.csv", "in/2019/x.csv"], ["xx.csv", "in/y.csv"]),
    ("in/**", ["in/a", "in/b/c"], ["a", "in2/a", "in/b/.c", "in/b/c.part"]),
    ("a?.csv", ["a1.csv"], ["a.csv", "a/.csv", "a12.csv"]),
    ("a+b(1).csv", ["a+b(1).csv"], ["aab1.csv"]),
])  # fmt: skip
def test_globs(pattern: str, yes: list[str], no: list[str]):
    assert [key for key in yes + no if matches(key, pattern)] == yes
    assert all(key.startswith(fixed_prefix(pattern)) for key in yes)
    for key in yes:
        folders = key.split("/")[:-1]
        assert all(may_hold("/".join(folders[: place + 1]), pattern) for place in range(len(folders)))


def test_folders_that_hold_nothing_are_not_looked_into():
    assert not may_hold("out", "in/*.csv")
    assert not may_hold("in/deep", "in/*.csv")
    assert not may_hold("any", "*.csv")
    assert not may_hold("in/.hidden", "**/*.csv")


def test_excluded():
    assert not matches("a.csv", "*.csv", ["b.csv", "a.*"])


@pytest.mark.parametrize(("form", "length", "date", "start", "end"), [
    ("%Y-%m-%d", "P7D", "2019-11-04", (2019, 11, 4), (2019, 11, 11)),
    ("%Y%m", "P1M", "201912", (2019, 12, 1), (2020, 1, 1)),
    ("%Y", "P1Y", "2019", (2019, 1, 1), (2020, 1, 1)),
    ("%G-W%V", "P7D", "2020-W53", (2020, 12, 28), (2021, 1, 4)),
    ("%Y%m%d%H", "PT1H", "2019110423", (2019, 11, 4, 23), (2019, 11, 5)),
])  # fmt: skip
def test_periods(form: str, length: str, date: str, start: tuple[int, ...], end: tuple[int, ...]):
    period = Period.model_validate({"pattern": "(x)", "format": form, "length": length})
    window = period.window(date)
    assert window == Slice(datetime(*start, tzinfo=UTC), datetime(*end, tzinfo=UTC))  # type: ignore[misc]
    assert window.start.strftime(form) == date


def test_periods_that_are_asked_for():
    period = Period.model_validate({"pattern": "(x)", "format": "%Y-%m", "length": "P1M"})
    first = datetime(2019, 10, 1, tzinfo=UTC)
    reach = Slice(datetime(2019, 11, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC))
    assert [name for name, _ in expected(period, first, reach)] == ["2019-11", "2019-12"]


def test_a_window_begins_in_one_of_the_windows_that_follow_each_other():
    begin = datetime(2019, 11, 1, tzinfo=UTC)
    runs = [Slice(begin + timedelta(days=5 * n), begin + timedelta(days=5 * n + 5)) for n in range(12)]
    weeks = [Slice(begin + timedelta(days=7 * n), begin + timedelta(days=7 * n + 7)) for n in range(8)]
    for week in weeks:
        assert sum(Reach(run, given=True).holds(week) for run in runs) == 1


def test_the_window_of_a_file_without_a_period():
    stream = {"files": "*", "format": {"kind": "csv"}, "write": "append"}
    source = FileSource.model_validate({
        "name": "a", "description": "d", "kind": "files", "connection": "c", "owner": "o", "domain": "d", "tier": 1,
        "schedule": "@daily", "start_date": "2019-01-01", "store": "sftp", "folder": "/", "streams": {"s": stream},
    })  # fmt: skip
    moment = datetime(2019, 11, 4, 12, 0, 0, 500, tzinfo=UTC)
    found = slice_of(source.streams["s"], Delivered(key="a", etag="1", modified_at=moment, bytes=1))
    assert found == Slice(moment, moment + timedelta(seconds=1))
    assert source.settle(source.streams["s"]) == timedelta(seconds=60)


@pytest.mark.parametrize(("key", "end"), [
    ("in/a.csv", "csv"), ("in/a.csv.gz", "csv.gz"), ("in.d/a", "bin"), (".hidden", "bin"), ("a.b.c.d", "c.d"),
    ("a.tar.gz", "tar.gz"), ("report v1.2 final.pdf", "pdf"), ("a.", "bin"), ("a.../../x", "bin"),
])  # fmt: skip
def test_suffixes(key: str, end: str):
    assert suffix(key) == end
