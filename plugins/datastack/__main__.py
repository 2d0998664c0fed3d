"""Checks every declaration, and generates what follows from the contracts.

``python -m datastack check`` and ``python -m datastack generate [--check]``; ``python -m datastack compile`` compiles
the loops that move data ahead of their first use.
"""

import argparse
import sys

from datastack.codec.warm import compile_kernels
from datastack.contract.dbt_sources import sources_file, sources_yaml
from datastack.contract.errors import DeclarationError
from datastack.contract.registry import include_dir, load_source, source_names
from datastack.quality.derive import soda_contract
from datastack.quality.soda_contract import lint, mart_contract_files, read_mart_contract


def check() -> str:
    """Read every source, contract and mart contract.

    :raises DeclarationError: at the first that is wrong.
    """
    streams = marts = 0
    for name in source_names():
        for contract in load_source(name).contracts.values():
            lint(contract.file, soda_contract(contract, f"warehouse/warehouse/raw_{name}/{contract.stream}"))
            streams += 1
    for folder in sorted((include_dir() / "soda").iterdir()):
        marts += len([read_mart_contract(file) for file in mart_contract_files(folder.name)])
    if not streams:
        raise DeclarationError(include_dir() / "sources", "(folder)", "declares no stream", "Add a source file.")
    return f"{len(source_names())} sources, {streams} streams and {marts} mart contracts are well declared"


def generate(check_only: bool) -> str:
    """Write the dbt source files, or compare them with what would be written.

    :raises DeclarationError: with ``check_only``, at the first that differs.
    """
    for name in source_names():
        file, content = sources_file(name), sources_yaml(name)
        if not check_only:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != content:
            raise DeclarationError(file, "(whole file)", "does not follow from the contracts", "Run `make generate`.")
    return f"dbt sources of {', '.join(source_names())} follow from their contracts"


def main() -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m datastack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="read every declaration")
    generating = commands.add_parser("generate", help="write the files that follow from the contracts")
    generating.add_argument("--check", action="store_true", help="only compare; fail on a difference")
    commands.add_parser("compile", help="compile the loops that move data")
    arguments = parser.parse_args()
    try:
        print(_run(arguments))
    except DeclarationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(arguments: argparse.Namespace) -> str:
    if arguments.command == "compile":
        compile_kernels()
        return "the loops that move data are compiled"
    return check() if arguments.command == "check" else generate(arguments.check)


if __name__ == "__main__":
    sys.exit(main())
