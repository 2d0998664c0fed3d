"""Checks every declaration, and generates what follows from the contracts.

``python -m datastack check`` and ``python -m datastack generate [--check]``; ``python -m datastack manifest`` lets dbt
parse its project, if that was not done since it changed; ``python -m datastack compile`` compiles the loops that move
data ahead of their first use.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from datastack.contract.dbt_sources import sources_file, sources_yaml
from datastack.contract.errors import DeclarationError
from datastack.contract.registry import include_dir, load_source, source_names
from datastack.quality.derive import soda_contract
from datastack.quality.mart_waivers import mart_notes
from datastack.quality.soda_contract import lint, mart_contract_files, read_mart_contract
from datastack.transform.conventions import project_failures
from datastack.transform.interfaces import broken_interfaces, interfaces_file, interfaces_yaml, outdated_interfaces
from datastack.transform.manifest import read_project
from datastack.transform.parse import make_manifest

_Found = TypeVar("_Found")


class Failures(Exception):
    """Everything that was found wrong."""

    def __init__(self, found: Iterable[DeclarationError]) -> None:
        self.found = sorted(found, key=lambda error: (str(error.file), error.field))
        super().__init__("\n".join(str(error) for error in self.found))


def check() -> str:
    """Read every source, contract and mart contract, and compile the dbt project for every dialect.

    :raises Failures: naming everything that is wrong.
    """
    found: list[DeclarationError] = []
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # what it warns of is a finding of ours
    streams = [stream for name in source_names() for stream in _tried(found, _streams, name)]
    if not streams and not found:
        problem = "declares no stream"
        found.append(DeclarationError(include_dir() / "sources", "(folder)", problem, "Add a source file."))
    folders = sorted((include_dir() / "soda").iterdir())
    files = [file for folder in folders for file in _tried(found, mart_contract_files, folder.name)]
    contracts = {file: content for file in files for content in _tried(found, _mart_contract, file)}
    by_domain = {
        folder.name: {file.stem: each for file, each in contracts.items() if file.parent == folder}
        for folder in folders
    }
    for domain, marts in by_domain.items():
        _tried(found, lambda domain=domain, marts=marts: [mart_notes(domain, marts)])
    for project in _tried(found, lambda: [read_project()]):
        found += [*project_failures(project, contracts), *broken_interfaces(project)]
    if found:
        raise Failures(found)
    counts = f"{len(source_names())} sources, {len(streams)} streams and {len(contracts)} marts"
    return f"{counts} are well declared; the dbt project keeps its rules, on Postgres and on Redshift"


def _tried(found: list[DeclarationError], read: Callable[..., list[_Found]], *arguments: Any) -> list[_Found]:
    """What could be read; what could not is among the findings, so that one run names all of them."""
    try:
        return read(*arguments)
    except DeclarationError as error:
        found.append(error)
        return []


def _streams(source: str) -> list[str]:
    contracts = load_source(source).contracts
    for stream, contract in contracts.items():
        lint(contract.file, soda_contract(contract, f"warehouse/warehouse/raw_{source}/{stream}").content)
    return list(contracts)


def _mart_contract(file: Path) -> list[dict[str, Any]]:
    return [read_mart_contract(file)]


def generate(check_only: bool) -> str:
    """Write the dbt source files, the manifest, and the marts' interfaces; or compare with what would be written.

    :raises DeclarationError: if dbt can't parse the project.
    :raises Failures: naming every file that differs, or every promise to consumers that would be broken.
    """
    outdated = []
    for name in source_names():
        file, content = sources_file(name), sources_yaml(name)
        if not check_only:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != content:
            problem = "does not follow from the contracts"
            outdated.append(DeclarationError(file, "(whole file)", problem, "Run `make generate`."))
    if not check_only:
        make_manifest()
    project = read_project()
    outdated += broken_interfaces(project) if not check_only else outdated_interfaces(project)
    if outdated:
        raise Failures(outdated)
    if not check_only:
        interfaces_file().write_text(interfaces_yaml(project), encoding="utf-8")
    return "dbt sources, manifest and interfaces follow from what is declared"


def main() -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m datastack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="read every declaration")
    generating = commands.add_parser("generate", help="write the files that follow from the contracts")
    generating.add_argument("--check", action="store_true", help="only compare; fail on a difference")
    commands.add_parser("manifest", help="let dbt parse its project")
    commands.add_parser("compile", help="compile the loops that move data")
    arguments = parser.parse_args()
    try:
        print(_run(arguments))
    except (DeclarationError, Failures) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(arguments: argparse.Namespace) -> str:
    if arguments.command == "manifest":
        return make_manifest()
    if arguments.command == "compile":
        from datastack.codec.warm import compile_kernels  # brings numba, which nothing else here needs

        compile_kernels()
        return "the loops that move data are compiled"
    return check() if arguments.command == "check" else generate(arguments.check)


if __name__ == "__main__":
    sys.exit(main())
