"""No household is recognisable anywhere but where the source's answers are kept as received."""

import io
import logging
import traceback

import pyarrow.parquet as pq
import pytest
import zstandard

from datastack.lake.manifest import ManifestError
from tests.integration.harness import Stack, days
from tests.integration.stub_api import StubApi

HOUSEHOLD = 987654321
ALL_TIME = ("2016-01-01T00:00:00Z", "2019-12-01T00:00:00Z")


@pytest.fixture
def planted(stack: Stack, stub_api: StubApi) -> Stack:
    """Load every stream of both sources, each with one household that can be told from all other numbers."""
    stack.shop("update households set household_id = %s, updated_at = '2019-11-02Z' where household_id = 1", HOUSEHOLD)
    stack.shop("update transactions set household_id = %s where household_id = 1", HOUSEHOLD)
    period = {"start_date": "2019-11-01", "end_date": "2019-11-30"}
    stub_api.records = {
        "/campaigns": [
            {
                "campaign_id": 1,
                "campaign_type": "Type A",
                "period": period,
                "households": [{"household_id": 5}, {"household_id": HOUSEHOLD}],
            }
        ],
        "/coupons": [{"coupon_upc": 1, "product_id": 2, "campaign_id": 1}],
        "/redemptions": [
            {
                "redemption_id": "r-1",
                "household_id": str(HOUSEHOLD),
                "coupon_upc": 1,
                "campaign_id": 1,
                "redemption_date": "2019-11-02",
                "updated_at": "2019-11-02T12:00:00Z",
            }
        ],
    }
    for source, streams in STREAMS.items():
        for stream in streams:
            stack.load(source, stream, ALL_TIME)
            stack.gate(source, stream)
    return stack


STREAMS = {
    "retail_db": ("households", "products", "transactions"),
    "marketing_api": ("campaigns", "coupons", "redemptions"),
}


def readable(key: str, content: bytes) -> str:
    """What an object of the lake says."""
    if key.endswith(".parquet"):
        return str(pq.read_table(io.BytesIO(content)).to_pylist())
    return (zstandard.ZstdDecompressor().stream_reader(content).read() if key.endswith(".zst") else content).decode()


def test_an_identity_is_nowhere_but_in_the_landing_zone(planted: Stack):
    keys = [key for key in planted.objects() if not key.endswith("/")]
    objects = {key: planted.get(key) for key in keys}
    holding = {key.split("/")[0] + "/" + key.split("/")[2] for key, body in objects.items() if says(key, body)}
    assert holding == {"landing/campaigns", "landing/redemptions"}
    zones = {key.split("/")[0] for key in objects}
    assert zones == {"landing", "conformed"}, "every zone was looked at"
    tables = planted.rows("select schemaname || '.' || tablename from pg_tables where schemaname ~ '^(raw_|ops)'")
    assert len([table for (table,) in tables if table.startswith("raw_")]) == 6
    assert ("ops.gate_samples",) in tables
    for (table,) in tables:
        assert planted.one(f"select count(*) from {table} as t where t::text like '%%{HOUSEHOLD}%%'") == 0, table


def says(key: str, body: bytes) -> bool:
    return str(HOUSEHOLD) in readable(key, body)


def test_a_household_has_one_pseudonym_in_both_sources(planted: Stack):
    pseudonym = planted.pseudonym(HOUSEHOLD)
    places = [
        "select count(*) from raw_retail_db.households where household_id = %s",
        "select count(distinct household_id) from raw_retail_db.transactions where household_id = %s",
        "select count(*) from raw_marketing_api.redemptions where household_id = %s",
        "select count(*) from raw_marketing_api.campaigns where household_ids[2] = %s",
    ]
    assert [planted.one(place, pseudonym) for place in places] == [1, 1, 1, 1]
    joined = "select count(*) from raw_retail_db.households join raw_marketing_api.redemptions using (household_id)"
    assert planted.one(joined) == 1


def test_no_key_and_no_password_is_stored_anywhere(planted: Stack):
    hidden = ("PRIVACY_KEY", "MARKETING_API_CLIENT_SECRET")
    kinds = ("PG_", "S3_")
    secrets = [value for name, value in planted.servers.secrets.items() if name.startswith(kinds) or name in hidden]
    for key in planted.objects():
        text = readable(key, planted.get(key))
        assert not [secret for secret in secrets if secret in text], key
    for (table,) in planted.rows(
        "select schemaname || '.' || tablename from pg_tables where schemaname ~ '^(raw_|ops)'"
    ):
        for secret in secrets:
            assert planted.one(f"select count(*) from {table} as t where strpos(t::text, %s) > 0", secret) == 0


def test_logs_and_errors_show_no_identity_and_no_key(
    planted: Stack, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    caplog.set_level(logging.DEBUG)
    capfd.readouterr()
    key = planted.prepare("retail_db", "households", days(1, 9))
    planted.copy("retail_db", "households", key)
    planted.put(key, b"{}")
    with pytest.raises(ManifestError) as failure:
        planted.copy("retail_db", "households", key)
    told = "".join([*traceback.format_exception(failure.value), caplog.text, *capfd.readouterr()])
    assert "retail_db.households" in told
    for hidden in (
        str(HOUSEHOLD),
        planted.servers.secrets["PRIVACY_KEY"],
        planted.servers.secrets["PG_LOADER_PASSWORD"],
    ):
        assert hidden not in told


def test_a_key_that_is_no_key_is_refused(stack: Stack):
    stack.connect("privacy_key", password="not hexadecimal")
    with pytest.raises(ValueError, match="connection 'privacy_key': its password is not a hexadecimal key") as failure:
        stack.extract("retail_db", "households", days(1))
    assert "not hexadecimal" not in str(failure.value).replace("is not a hexadecimal", "")
    stack.connect("privacy_key", password="")
    with pytest.raises(ValueError, match="shorter than 16 bytes"):
        stack.extract("retail_db", "households", days(1))
    assert stack.objects() == []
