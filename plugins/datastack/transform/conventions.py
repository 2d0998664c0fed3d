"""The rules of the dbt project, as one list of what breaks them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datastack.contract.errors import DeclarationError
from datastack.transform.branch_rules import branch_failures
from datastack.transform.column_rules import column_failures
from datastack.transform.compiled import compile_project
from datastack.transform.contract_rules import contract_failures
from datastack.transform.dialects import dialect_failures
from datastack.transform.graph import Graph
from datastack.transform.graph_rules import graph_failures
from datastack.transform.manifest import Project
from datastack.transform.model_rules import model_failures


def project_failures(project: Project, contracts: Mapping[Path, Mapping[str, Any]]) -> Iterator[DeclarationError]:
    """Everything that is wrong with the dbt project, in all dialects.

    :param contracts: content of each mart contract, by its file.
    """
    graph = Graph(project)
    yield from model_failures(graph)
    yield from graph_failures(graph)
    yield from contract_failures(graph, contracts)
    for compiled in compile_project(project):
        yield from compiled.failures
        yield from dialect_failures(project, compiled)
        if compiled.dialect == "postgres":
            yield from branch_failures(graph, compiled.queries)
            yield from column_failures(graph, compiled.queries)
