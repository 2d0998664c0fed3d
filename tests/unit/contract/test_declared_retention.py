"""How long the lake keeps what a contract is about is declared in it."""

from datetime import timedelta

import pytest

from datastack.contract.errors import DeclarationError
from datastack.contract.registry import load_source
from datastack.operators.retention import declared_retention

CONTRACT = "contracts/marketing_api/coupons.odcs.yaml"
DRIFT = "  - property: drift\n    value: discard"


def test_without_a_word_there_are_defaults():
    kept = load_source("marketing_api").contracts["coupons"].retention
    assert (kept.landing.days, kept.quarantine.days, kept.conformed.days) == (30, 90, 400)


def test_durations_are_read_as_iso_8601(declarations):
    declarations(CONTRACT, DRIFT, f"{DRIFT}\n  - property: retention\n    value: {{landing: P2W, conformed: P90DT12H}}")
    kept = load_source("marketing_api").contracts["coupons"].retention
    assert (kept.landing, kept.quarantine, kept.conformed) == (
        timedelta(weeks=2),
        timedelta(days=90),
        timedelta(days=90, hours=12),
    )


def test_documents_stay_unless_their_contract_says_otherwise(declarations):
    key, contract = ("leaflets", "leaflets"), "contracts/leaflets/leaflets.odcs.yaml"
    assert declared_retention()[key].landing is None
    assert declared_retention()["marketing_api", "coupons"].landing == timedelta(days=30)
    freeze = "  - property: drift\n    value: freeze"
    declarations(contract, freeze, f"{freeze}\n  - property: retention\n    value: {{landing: P1000D}}")
    load_source.cache_clear()
    assert declared_retention()[key].landing == timedelta(days=1000)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("{landing: P1D}", ["retention.landing", "greater than or equal to 2 days", "Correct the value"]),
        ("{landing: 30}", ["retention.landing", "greater than or equal to 2 days"]),
        ("{landing: a month}", ["retention.landing", "valid timedelta", "'a month'"]),
        ("{landings: P30D}", ["retention.landings", "Remove it or correct its spelling"]),
        ("P30D", ["retention", "Correct the value"]),
    ],
)
def test_a_wrong_retention_names_file_field_and_remedy(declarations, value: str, says: list[str]):
    file = declarations(CONTRACT, DRIFT, f"{DRIFT}\n  - property: retention\n    value: {value}")
    with pytest.raises(DeclarationError) as failure:
        load_source("marketing_api")
    assert str(failure.value).startswith(f"{file}: ")
    for part in says:
        assert part in str(failure.value)
