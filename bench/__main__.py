"""Command line: ``python -m bench movement|conform|api|transform [--rows N] [--without-peers] [--without-scaling]``."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from bench import api, conform, contenders, movement, report, servers, transform
from bench.race import FULL_ROWS, Race, say


def main() -> int:
    """Measure what is asked for; return 0 when every contender did its work."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exit stops the servers, a signal would not
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    status: int = options.measure(options)
    return status


def _movement(options: argparse.Namespace) -> int:
    """Measure; return 0 when every contender moved its rows. What a peer changed on the way is in the table."""
    options.output = options.output or _output(options)
    if options.peers and not contenders.PEERS_PYTHON.exists():
        say("The peers are not installed: run `make bench`, or leave them out by --without-peers")
        return 2
    say(_announcement(options))
    started = time.monotonic()
    with servers.running() as running:
        race = Race(running)
        movement.fill(race, options.rows)
        results = movement.main_race(race) + movement.apart(race)
        if options.peers:
            results += movement.peers(race)
        scaled = movement.scaling(race, options.promotions) if options.scaling else []
    goals = movement.goals(results, scaled)
    about = {"rows": options.rows, "seconds_in_all": round(time.monotonic() - started), "goals": goals}
    report.write(options.output, {"contenders": results, "scaling": scaled}, about)
    say(report.page(results, scaled, goals))
    say(f"\nWritten to {options.output}")
    return 1 if race.failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    benches = parser.add_subparsers(required=True)
    movement_ = benches.add_parser("movement", help="Postgres to Parquet on S3 to Postgres")
    movement_.set_defaults(measure=_movement)
    movement_.add_argument("--rows", type=int, default=FULL_ROWS, help="rows of the table that all move")
    movement_.add_argument(
        "--promotions", type=int, default=movement.ALL_PROMOTIONS, help="rows of the largest table that ours moves"
    )
    conform_ = benches.add_parser("conform", help="JSON lines to typed Parquet")
    conform_.set_defaults(measure=conform.main)
    conform_.add_argument("--rows", type=int, default=conform.ROWS, help="records that all conform")
    api_ = benches.add_parser("api", help="pages of a REST API to S3")
    api_.set_defaults(measure=api.main)
    api_.add_argument("--pages", type=int, default=api.PAGES, help="pages that all read")
    transform_ = benches.add_parser("transform", help="the transform's DAG beside a bare dbt build")
    transform_.set_defaults(measure=transform.main)
    transform_.add_argument(
        "--days",
        type=int,
        default=transform.DAYS,
        help="days of promotions that are loaded first, beside a year of the rest",
    )
    for each in (movement_, conform_, api_, transform_):
        each.add_argument("--without-peers", dest="peers", action="store_false", help="leave out the other tools")
        each.add_argument("--without-scaling", dest="scaling", action="store_false", help="one size only")
        each.add_argument("--output", type=Path, help="result file; one of bench/results for a whole run")
    return parser.parse_args()


def _output(options: argparse.Namespace) -> Path:
    """Keep a part of the bench from replacing the result of a whole one."""
    whole = options.peers and options.scaling and options.rows == FULL_ROWS
    whole = whole and options.promotions == movement.ALL_PROMOTIONS
    return report.RESULTS / ("movement.json" if whole else "movement.partial.tmp")


def _announcement(options: argparse.Namespace) -> str:
    share = options.rows / FULL_ROWS
    minutes = 1 + 4 * share + 10 * share * options.peers
    minutes += (0.5 + 4 * options.promotions / movement.ALL_PROMOTIONS) * options.scaling
    then = ["the engine's halves, and as an Airflow task"]
    then += ["the other tools"] * options.peers + ["the engine on more and more rows"] * options.scaling
    return (
        f"Moves {options.rows:,} rows of 11 mixed columns from Postgres through S3 to Postgres, on servers of its own "
        f"in a temporary folder: the floor and our engine {movement.REPETITIONS} times in turn; {'; '.join(then)}. "
        f"About {minutes:.0f} minutes on two cores; leave the machine alone meanwhile."
    )


if __name__ == "__main__":
    sys.exit(main())
