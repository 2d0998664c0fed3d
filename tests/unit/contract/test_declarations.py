"""A wrong declaration is refused, and the error names file, field and remedy."""

import subprocess
import sys
from pathlib import Path

import pytest

from datastack.contract.errors import DeclarationError
from datastack.contract.registry import load_source, source_names

ROOT = Path(__file__).parents[3]
SOURCE, CONTRACT = "sources/retail_db.yml", "contracts/retail_db/transactions.odcs.yaml"


def test_all_declarations_load():
    streams = {f"{name}.{stream}" for name in source_names() for stream in load_source(name).contracts}
    assert streams == {
        "leaflets.leaflets",
        "marketing_api.campaign_households",
        "marketing_api.campaigns",
        "marketing_api.coupons",
        "marketing_api.redemptions",
        "promotions.promotions",
        "retail_db.households",
        "retail_db.products",
        "retail_db.transactions",
    }


def test_models_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        load_source("retail_db").source.owner = "somebody"


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (SOURCE, "connection: retail_db\n", "", ["connection", "Field required", "Add the field"]),
        (SOURCE, "owner:", "ownr:", ["owner", "Field required", "1 more finding"]),
        (SOURCE, "kind: postgres", "kind: postgress", ["postgress", "Correct the value"]),
        (SOURCE, "tier: 1", "tier: 7", ["tier", "less than or equal to 3"]),
        (SOURCE, "cursor: transaction_at\n    write", "write", ["streams.transactions", "needs a cursor"]),
        (
            SOURCE,
            "cursor: transaction_at",
            "cursor: nope",
            ["streams.transactions.cursor", "'nope' is not in the contract"],
        ),
        (SOURCE, "name: retail_db", "name: other", ["name", "Give the file's own name, 'retail_db'"]),
        (SOURCE, "table: public.products", "table: products", ["streams.products.table"]),
        (SOURCE, "streams:", "streams: {", ["not valid YAML", "Correct the syntax"]),
        (
            CONTRACT,
            "physicalType: bigint",
            "physicalType: int8",
            ["schema.properties.store_id.type", "'int8' is not known"],
        ),
        (
            CONTRACT,
            "name: privacy",
            "name: privacy\n            vendr: x",
            ["Follow the Open Data Contract Standard"],
        ),
        (
            CONTRACT,
            "property: privacy",
            "property: privatcy",
            ["privatcy", "unknown custom property", "Use one of"],
        ),
        (
            CONTRACT,
            "value: hash",
            "value: hsh",
            ["household_id.privacy", "'hash', 'mask', 'drop' or 'restrict'"],
        ),
        (
            CONTRACT,
            "metric: rowCount",
            "metric: nullValues",
            ["schema.quality.0", "nothing checks nullValues", "metric: rowCount"],
        ),
        (CONTRACT, "mustBeGreaterOrEqualTo: 1", "mustBeGreaterOrEqualTo: 0", ["minimum_rows"]),
        (CONTRACT, "version: 1.0.0", "version: one", ["version", "pattern"]),
        (
            CONTRACT,
            "- name: transactions",
            "- name: others",
            ["schema", "Describe exactly the stream 'transactions'"],
        ),
        (
            "contracts/retail_db/households.odcs.yaml",
            "primaryKey: true",
            "primaryKey: false",
            ["needs a primary key"],
        ),
        (
            "contracts/retail_db/households.odcs.yaml",
            "primaryKeyPosition: 1\n        required: true",
            "primaryKeyPosition: 1",
            ["household_id: write: scd2 needs a value in every row", "Add required: true"],
        ),
        (
            "contracts/retail_db/households.odcs.yaml",
            "value: hash",
            "value: mask",
            ["household_id: write: scd2 tells rows apart by it", "Use privacy: hash"],
        ),
        (SOURCE, "updated_at\n    write: scd2", "household_id\n    write: scd2", ["is text, but versions are valid"]),
    ],
)
def test_a_wrong_declaration_is_named(declarations, file: str, old: str, new: str, says: list[str]):
    if says == ["Follow the Open Data Contract Standard"]:
        old, new = "kind: DataContract", "kind: DataContract\nsurprise: 1"
    path = declarations(file, old, new)
    with pytest.raises(DeclarationError) as caught:
        load_source("retail_db")
    assert str(path) in str(caught.value)
    for part in says:
        assert part in str(caught.value)


def test_personal_data_needs_a_privacy_rule(declarations):
    declarations(
        CONTRACT,
        "        customProperties:\n          - property: privacy\n            value: hash\n",
        "",
    )
    with pytest.raises(DeclarationError, match="household_id: personal data without a privacy rule"):
        load_source("retail_db")


def test_a_contract_without_a_stream_is_found(declarations):
    file = declarations(CONTRACT, "version: 1.0.0", "version: 1.0.1")
    file.rename(file.with_name("orphan.odcs.yaml"))
    with pytest.raises(DeclarationError, match="there is no such file"):
        load_source("retail_db")
    file.with_name("orphan.odcs.yaml").rename(file)
    (file.parent / "extra.odcs.yaml").write_text(file.read_text())
    with pytest.raises(DeclarationError, match=r"no stream of retail_db\.yml uses it"):
        load_source("retail_db")


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (CONTRACT, "version: 1.0.0", "version: one", "transactions.odcs.yaml: version"),
        ("soda/retail/fct_purchases.yml", "row_count:", "row_cuont:", "fct_purchases.yml: checks"),
    ],
)
def test_the_check_command_fails_on_it(declarations, file: str, old: str, new: str, says: str):
    include = declarations(file, old, new).parents[len(Path(file).parts) - 1]
    environment = {"DATASTACK_INCLUDE": str(include), "PYTHONPATH": str(ROOT / "plugins")}
    done = subprocess.run(
        [sys.executable, "-m", "datastack", "check"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert says in done.stderr


def test_generated_files_that_differ_are_found(declarations):
    file = declarations("dbt/models/staging/retail_db/_retail_db__sources.yml", "products", "produce")
    environment = {"DATASTACK_INCLUDE": str(file.parents[4]), "PYTHONPATH": str(ROOT / "plugins")}
    command = [sys.executable, "-m", "datastack", "generate"]
    compared = subprocess.run([*command, "--check"], env=environment, capture_output=True, text=True, check=False)
    assert compared.returncode == 1
    assert "make generate" in compared.stderr
    subprocess.run(command, env=environment, check=True)
    assert "name: products" in file.read_text()
    subprocess.run([*command, "--check"], env=environment, check=True)
