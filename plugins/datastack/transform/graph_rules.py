"""Rules on who reads whom."""

from collections import defaultdict
from collections.abc import Iterator

from datastack.contract.errors import DeclarationError
from datastack.contract.registry import load_source, source_names
from datastack.contract.sources import Write
from datastack.transform.graph import Graph, is_mart, layer, parts, wrong
from datastack.transform.manifest import Model

_IN_SLICES = (Write.REPLACE_SLICE, Write.APPEND)
_LEDGER = "ledger"  # which says what the slices are


def graph_failures(graph: Graph) -> Iterator[DeclarationError]:
    """Every breach of a rule on what models read, and on who reads them."""
    for model in graph.project.models:
        yield from _reads_what_is_below(graph, model)
        yield from _follows_slices(model)
        yield from _reads_its_stream_only(graph, model)
        if is_mart(model) and model.unique_id not in graph.read and not graph.is_deprecated(model):
            remedy = "Name its consumer in an exposure, or delete it."
            yield DeclarationError(model.file, model.name, "nobody reads this mart", remedy)
    yield from _one_staging_model_a_table(graph)


def _reads_what_is_below(graph: Graph, model: Model) -> Iterator[DeclarationError]:
    for name in model.parents:
        if (source := graph.source(name)) and layer(model) != "staging":
            remedy = f"Read its staging model, as stg_{source['source_name']}__{source['name']}."
            yield DeclarationError(model.file, model.name, f"reads the source {_table(graph, name)}", remedy)
        parent = graph.models.get(name)
        if parent and _level(parent) > _level(model):
            problem = f"reads {parent.name}, which stands above it"
            remedy = (
                "Staging reads sources; intermediate models, dimensions and facts read each other; reports read all."
            )
            yield DeclarationError(model.file, model.name, problem, remedy)


def _level(model: Model) -> int:
    """How far from its sources a model is. The star is built first; intermediate models share logic above it too."""
    if layer(model) == "staging":
        return 0
    return 2 if is_mart(model) and not model.name.startswith(("dim_", "fct_")) else 1


def _one_staging_model_a_table(graph: Graph) -> Iterator[DeclarationError]:
    readers: dict[str, list[Model]] = defaultdict(list)
    for model in graph.project.models:
        read = [name for name in model.parents if graph.source(name)]
        for name in read:
            readers[name].append(model)
        if layer(model) == "staging" and len(read) != 1:
            problem = f"reads {len(read)} sources"
            yield DeclarationError(model.file, model.name, problem, "Let it read one: joins belong to intermediate.")
        for source in (graph.source(name) for name in read):
            if source and layer(model) == "staging" and parts(model)[1:] != (source["source_name"],):
                problem = f"reads {source['source_name']}.{source['name']}"
                remedy = f"Move it to models/staging/{source['source_name']}."
                yield DeclarationError(model.file, model.name, problem, remedy)
    for name, models in readers.items():
        for model in [each for each in models if layer(each) == "staging"][1:]:
            problem = f"reads {_table(graph, name)}, which {models[0].name} reads already"
            yield DeclarationError(model.file, model.name, problem, f"Read {models[0].name} instead.")


def _table(graph: Graph, name: str) -> str:
    source = graph.source(name) or {}
    return f"{source.get('source_name')}.{source.get('name')}"


def _follows_slices(model: Model) -> Iterator[DeclarationError]:
    field = ".config.meta.slices"
    if model.slices is None:
        if model.materialized == "incremental":
            remedy = "Declare {source: …, stream: …, column: …}: publishing exchanges the rows of these slices."
            yield wrong(model, field, "an incremental model without it", remedy)
        return
    if model.materialized != "incremental":
        remedy = "Set materialized: incremental, or remove it."
        yield wrong(model, field, f"the model is materialized as {model.materialized}", remedy)
    source, stream = model.slices.source, model.slices.stream
    streams = load_source(source).source.streams if source in source_names() else {}
    if stream not in streams:
        remedy = "Name a stream of include/sources."
        yield wrong(model, field, f"there is no stream {source}.{stream}", remedy)
    elif streams[stream].write not in _IN_SLICES:
        remedy = f"Name a stream with write: {' or '.join(_IN_SLICES)}: only those change within the slices loaded."
        yield wrong(model, field, f"{source}.{stream} has write: {streams[stream].write}", remedy)
    if model.slices.column not in {column.name for column in model.columns}:
        yield wrong(model, f"{field}.column", f"the model has no column {model.slices.column}", "Name one of its own.")


def _reads_its_stream_only(graph: Graph, model: Model) -> Iterator[DeclarationError]:
    """What changes in another stream would reach the planned slices only, and leave all other rows as they were."""
    if model.slices is None:
        return
    own = f"{model.slices.source}.{model.slices.stream}"
    for name in sorted(graph.sources_of(model)):
        table = _table(graph, name)
        if table != own and not table.startswith(f"{_LEDGER}."):
            problem = f"reads {table}, and follows the slices of {own}"
            remedy = f"Join {table} in a model that reads this one: rows outside of the slices would not follow it."
            yield DeclarationError(model.file, model.name, problem, remedy)
