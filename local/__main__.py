"""Command line of the embedded stack: `python -m local up | down | clean | status | logs | airflow | psql`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys

from local.checks import CheckError
from local.run_file import RunFile
from local.settings import Settings, SettingsError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options, Settings.load())
    except (SettingsError, CheckError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nInterrupted. What was started goes on: `make up` continues, `make down` stops it.",
            file=sys.stderr,
        )
        return 130


def _run(options: argparse.Namespace, settings: Settings) -> int:
    match options.command:
        case "up":
            from local.up import up

            return up(settings, load=not options.no_load)
        case "down":
            return _down(settings)
        case "clean":
            return _clean(settings)
        case "status":
            from local.stack import Stack
            from local.status import status

            return status(Stack(settings))
        case "logs":
            from local.up import logs

            logs(settings)
        case "airflow":
            from local.stack import Stack

            os.execvpe("airflow", ["airflow", *options.arguments], Stack(settings).airflow_env)  # noqa: S606
        case "psql":
            from local.stack import Stack

            Stack(settings).exec_psql(options.role)
        case "supervise":
            from local import supervisor
            from local.stack import Stack

            supervisor.main(Stack(settings))
        case "serve":
            _serve(settings, options.server)
    return 0


def _down(settings: Settings) -> int:
    stopped = RunFile(settings.state).stop()
    print("The stack is stopped." if stopped else "No stack was running.")
    return 0


def _clean(settings: Settings) -> int:
    _down(settings)
    marker = settings.state / "secrets.env"
    if settings.state.exists() and not marker.exists():
        raise CheckError(f"{settings.state} does not look like a stack's state: delete it yourself if it may go.")
    shutil.rmtree(settings.state, ignore_errors=True)
    print(f"{settings.state} is deleted.")
    return 0


def _serve(settings: Settings, server: str) -> None:
    """Become a server: the Procfile's entries for Postgres and the object store."""
    from local.stack import Stack

    stack = Stack(settings)
    if server == "s3":
        stack.object_store.exec()
    stack.postgres.initialise()
    command = stack.postgres.command()
    os.execvp(command[0], command)  # noqa: S606


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="The embedded stack.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start the stack, load the year, report")
    up.add_argument("--no-load", action="store_true", help="start an empty stack")
    commands.add_parser("down", help="stop what up started")
    commands.add_parser("clean", help="stop, and delete the state")
    commands.add_parser("status", help="show processes, memory, health and the latest runs")
    commands.add_parser("logs", help="follow the log")
    airflow = commands.add_parser("airflow", help="run Airflow's own command line on this stack")
    airflow.add_argument("arguments", nargs=argparse.REMAINDER)
    psql = commands.add_parser("psql", help="open the warehouse")
    psql.add_argument("role", nargs="?", default="analyst", choices=["analyst", "ml", "loader", "transformer"])
    commands.add_parser("supervise", help="run the processes in the foreground (up does it)")
    serve = commands.add_parser("serve", help="become one server (the Procfile does it)")
    serve.add_argument("server", choices=["postgres", "s3"])
    return parser


if __name__ == "__main__":
    sys.exit(main())
