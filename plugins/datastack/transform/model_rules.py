"""Rules on each model: described, keyed, named after what it is, and public ones promised."""

from collections.abc import Iterator

from datastack.contract.errors import DeclarationError
from datastack.contract.odcs import read_yaml
from datastack.transform.graph import LAYERS, Graph, is_mart, layer, parts, wrong
from datastack.transform.manifest import Model
from datastack.transform.project_files import project_dir

KEY_TESTS = ("unique", "unique_combination")
_PREFIXES = ("dim_", "fct_", "rpt_", "ml_")
_SETS_ALL = {"data_tests", "tests", "unit_tests"}


def model_failures(graph: Graph) -> Iterator[DeclarationError]:
    """Every breach of a rule that one model can keep by itself."""
    for model in graph.project.models:
        yield from _described(model)
        yield from _keyed(graph, model)
        yield from _named(graph, model)
        if is_mart(model):
            yield from _promised(model)
        elif model.access == "public":
            remedy = "Move the model into models/marts, or leave access out."
            yield wrong(model, ".config.access", f"is public in {layer(model)}", remedy)
    yield from _tests_at_work(graph)


def _described(model: Model) -> Iterator[DeclarationError]:
    if not model.description.strip():
        yield wrong(model, ".description", "there is none", "Say what a row is, and where rows come from.")
    if model.yaml_file is None or model.yaml_file.parent != model.file.parent:
        yield wrong(model, "", "has no YAML beside it", f"Describe it in {model.name}.yml, in the same folder.")
    elif model.yaml_file.stem not in (model.name, model.file.stem):
        remedy = f"Move it to {model.name}.yml: one YAML a model."
        yield wrong(model, "", f"is described in {model.yaml_file.name}", remedy)


def _keyed(graph: Graph, model: Model) -> Iterator[DeclarationError]:
    checks = [check for check in graph.checks_of(model) if check.kind in KEY_TESTS]
    if not checks and not _has_primary_key(graph, model):
        remedy = "Add the data test unique to its key's column, or unique_combination over several."
        yield wrong(model, ".data_tests", "no test of its key", remedy)


def _has_primary_key(graph: Graph, model: Model) -> bool:
    node = graph.project.manifest["nodes"][model.unique_id]
    constraints = [*node.get("constraints", [])]
    for column in node["columns"].values():
        constraints += column.get("constraints") or []
    return any(constraint["type"] == "primary_key" for constraint in constraints)


def _named(graph: Graph, model: Model) -> Iterator[DeclarationError]:
    if layer(model) not in LAYERS or len(parts(model)) != 2:
        remedy = "Move it to models/staging/<source>, intermediate/<domain> or marts/<domain>."
        yield DeclarationError(model.file, model.name, "stands in no layer's folder", remedy)
        return
    of = parts(model)[1]
    wanted = {"staging": (f"stg_{of}__",), "intermediate": (f"int_{of}__",), "marts": _PREFIXES}[layer(model)]
    if not model.name.startswith(wanted):
        remedy = f"Begin its name with {' or '.join(wanted)}."
        yield DeclarationError(model.file, model.name, f"is not named as a model of {layer(model)}/{of}", remedy)
    schema = {"staging": "staging", "intermediate": "intermediate", "marts": f"build_{of}"}[layer(model)]
    if model.schema != schema:
        remedy = f"Set +schema: {schema} for its folder in dbt_project.yml."
        yield wrong(model, ".config.schema", f"is {model.schema}", remedy)


def _promised(model: Model) -> Iterator[DeclarationError]:
    if model.access != "public":
        yield wrong(model, ".config.access", f"is {model.access}", "Set access: public, or move it to intermediate.")
    if not model.group:
        yield wrong(model, ".config.group", "there is none", "Set the group that answers for it.")
    if not model.contract_enforced:
        yield wrong(model, ".config.contract", "is not enforced", "Set contract: {enforced: true}.")
    for column in model.columns:
        if not column.description.strip():
            yield wrong(model, f".columns.{column.name}.description", "there is none", "Say what it holds.")
        if not column.type:
            yield wrong(model, f".columns.{column.name}.data_type", "there is none", "Add it.")


def _tests_at_work(graph: Graph) -> Iterator[DeclarationError]:
    """No test is switched off, and none lets failures pass without saying why."""
    for check in graph.checks:
        reason = (check.node["config"].get("meta") or {}).get("reason")
        if check.is_softened and not reason:
            remedy = "Remove severity, warn_if, error_if and where, or say why as meta: {reason: …}."
            yield DeclarationError(check.file, check.unique_id.split(".")[2], "lets failures pass", remedy)
    for nodes in graph.project.manifest.get("disabled", {}).values():
        for node in nodes:
            problem = f"{node['resource_type']} {node['name']} is disabled"
            yield DeclarationError(project_dir() / node["original_file_path"], node["name"], problem, "Delete it.")
    file = project_dir() / "dbt_project.yml"
    for name in sorted(_SETS_ALL & set(read_yaml(file))):
        remedy = "Remove it, and say at each test what is special about it."
        yield DeclarationError(file, name, "sets something for all tests at once", remedy)
