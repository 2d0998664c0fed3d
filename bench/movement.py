"""Postgres to Parquet in S3 to Postgres: the floor, the engine, its peers, and the engine on more and more rows."""

from dataclasses import replace
from typing import Any

from bench import contenders
from bench.race import Race, best, say
from bench.report import Result, goal
from bench.tables import ORDERS, ORDERS_TENTH, PROMOTIONS, STREAMS

REPETITIONS = 3
ALL_PROMOTIONS = 20_940_529


def main_race(race: Race) -> list[Result]:
    """Floor and engine in turn, so that noise hits both; the best of three each.

    A small move before them is not counted: in it the engine compiles its kernels, once for an installation.
    """
    say("warming up")
    race.run(contenders.engine(ORDERS_TENTH))
    pair = (contenders.floor(race.servers), replace(contenders.engine(), name="ours"))
    rounds = [[race.run(contender)[0] for contender in pair] for _ in range(REPETITIONS)]
    fastest = [best([round_[place] for round_ in rounds]) for place in range(len(pair))]
    race.floor_seconds = floor = fastest[0].seconds or 0.0
    return [replace(each, ratio_to_floor=round((each.seconds or 0) / floor, 2)) for each in fastest]


def apart(race: Race) -> list[Result]:
    """The engine's halves, each alone, and the whole as an Airflow task."""
    extract, told = race.run(contenders.extract_half())
    load, _ = race.run(contenders.load_half(told["manifest_key"]), keep_lake=True)
    return [extract, load, race.attempt(contenders.as_task())]


def peers(race: Race) -> list[Result]:
    """The other tools, each once."""
    return [race.attempt(contender) for contender in contenders.peers()]


def scaling(race: Race, rows: int) -> list[Result]:
    """The engine on a seventieth, a seventh and all of the promotions, and on one and several streams."""
    results = []
    for table, share in zip(PROMOTIONS, (rows // 70, rows // 7, rows), strict=True):
        found = race.fill(table, share)
        results.append(replace(race.attempt(contenders.engine(table)), name=f"ours: promotions, {found:,} rows"))
    for streams in (1, STREAMS):
        results.append(race.attempt(contenders.engine(ORDERS_TENTH, streams)))
    # The floor of another table says nothing about these.
    return [replace(result, ratio_to_floor=None) for result in results]


def goals(race: list[Result], scaled: list[Result]) -> list[dict[str, Any]]:
    """Compare with what the engine is meant to reach; goals whose contenders did not run are left out."""
    seconds = {result.name: result.seconds for result in (*race, *scaled) if result.seconds}
    own, found = seconds["ours"], []
    found.append(goal("total time of the floor's, at most 1.5 x", own / seconds["floor: COPY | COPY"], 1.5))
    if sling := [value for name, value in seconds.items() if name.startswith("Sling")]:
        found.append(goal("faster than Sling, at least 7 x", sling[0] / own, 7, at_least=True))
    if dlt := [value for name, value in seconds.items() if name.startswith("dlt")]:
        found.append(goal("faster than the best dlt, at least 5 x", min(dlt) / own, 5, at_least=True))
    memory = [result.peak_rss_mb or 0 for result in (*race, *scaled) if _moves_alone(result)]
    found.append(goal("peak memory of a moving process, at most 400 MB", max(memory), 400))
    return found + _linear(scaled)


def _moves_alone(result: Result) -> bool:
    """Whether a process of ours did nothing but move: the one under dag.test() is Airflow's API server too."""
    return result.name == "ours" or result.name.startswith("ours: ")


def _linear(scaled: list[Result]) -> list[dict[str, Any]]:
    """Time a row, compared with the middle size: the smallest is mostly start-up."""
    by_size = [result for result in scaled if result.seconds and "promotions" in result.name]
    if len(by_size) < 3:
        return []
    middle, large = ((result.seconds or 0) / result.rows for result in by_size[1:])
    memory = [result.peak_rss_mb or 0 for result in by_size]
    return [
        goal("time a row, all promotions against a seventh, at most 1.15 x", large / middle, 1.15),
        goal("memory, all promotions against a seventh, at most 1.15 x", memory[2] / memory[1], 1.15),
    ]


def fill(race: Race, rows: int) -> None:
    """Generate the tables that everybody moves."""
    race.fill(ORDERS, rows)
    race.fill(ORDERS_TENTH, max(rows // 10, 1))
    say("")
