"""Who may read and write which bucket: what is as received has an access of its own."""

import stat
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.bootstrap import BUCKETS, S3_RIGHTS
from tests.integration.harness import TRANSACTIONS, Stack, bucket_of, days

ZONES = {"lake": {"conformed"}, "landing": {"landing", "quarantine", "checkpoints"}}
DOES = {
    "Read": lambda client, bucket: client.get_object(Bucket=bucket, Key="conformed/probe"),
    "List": lambda client, bucket: client.list_objects_v2(Bucket=bucket),
    "Write": lambda client, bucket: client.put_object(Bucket=bucket, Key="conformed/probe", Body=b"1"),
    "Delete": lambda client, bucket: client.delete_object(Bucket=bucket, Key="conformed/other"),
}


@pytest.fixture
def probed(stack: Stack) -> Any:
    """Put an object into every bucket."""
    client = stack.lake.client()
    for bucket in BUCKETS:
        client.put_object(Bucket=bucket, Key="conformed/probe", Body=b"1")
    yield stack
    for bucket in BUCKETS:
        client.delete_object(Bucket=bucket, Key="conformed/probe")


def allowed(stack: Stack, user: str, bucket: str) -> set[str]:
    """What a user may do in a bucket, by trying."""
    client, done = stack.lake.client(stack.lake.identities[user]), set()
    for name, does in DOES.items():
        with suppress(client.exceptions.from_code("AccessDenied")):
            does(client, bucket)
            done.add(name)
    return done


@pytest.mark.parametrize("user", S3_RIGHTS)
def test_each_user_has_its_own_bucket_and_no_other(probed: Stack, user: str):
    everything, reading = set(DOES), {"Read", "List"}
    expected = {
        "admin": dict.fromkeys(BUCKETS, everything),
        "lake": {"lake": everything},
        "landing": {"landing": everything},
        "partner": {"partner-drops": everything},
        "partner_reader": {"partner-drops": reading},
    }[user]
    assert {bucket: may for bucket in BUCKETS if (may := allowed(probed, user, bucket))} == expected


def test_nobody_but_the_administrator_makes_a_bucket(stack: Stack):
    for user in S3_RIGHTS.keys() - {"admin"}:
        with pytest.raises(ClientError, match="AccessDenied"):
            stack.lake.client(stack.lake.identities[user]).create_bucket(Bucket="own-bucket")


def test_the_file_with_the_secrets_is_closed(stack: Stack):
    assert stat.S_IMODE(stack.lake.identities_file.stat().st_mode) == 0o600


def test_connections_have_the_rights_that_they_need_and_no_more(stack: Stack):
    logins = {name: fields.get("login") for name, fields in stack.servers.connections.items()}
    users = {identity.access_key: name for name, identity in stack.lake.identities.items()}
    found = {name: users[logins[name]] for name in ("lake", "landing", "partner_drops")}
    assert found == {"lake": "lake", "landing": "landing", "partner_drops": "partner_reader"}


def test_every_object_stands_in_the_bucket_of_its_zone(stack: Stack):
    stack.load("marketing_api", "campaigns", days(1))
    stack.load("retail_db", "transactions", days(1))
    client = stack.lake.client()
    for bucket, zones in ZONES.items():
        keys = [each["Key"] for each in client.list_objects_v2(Bucket=bucket).get("Contents", ())]
        there = {key.split("/")[0] for key in keys}
        assert there, f"nothing is in {bucket}"
        assert there <= zones
        assert all(bucket_of(key) == bucket for key in keys)


@pytest.mark.parametrize("user", ["lake", "partner_reader"])
def test_landing_is_refused_to_other_credentials_and_the_error_names_the_object(stack: Stack, user: str):
    identity = stack.lake.identities[user]
    stack.connect("landing", login=identity.access_key, password=identity.secret_key)
    with pytest.raises(OSError, match=r"s3://landing/checkpoints/marketing_api/campaigns/.*ACCESS_DENIED") as failure:
        stack.extract("marketing_api", "campaigns", days(1))
    assert identity.secret_key not in str(failure.value)
    assert stack.objects("landing/") == []


def test_conformed_data_is_refused_to_the_credentials_of_landing(stack: Stack):
    landing = stack.lake.identities["landing"]
    landed = stack.extract("marketing_api", "campaigns", days(1))
    stack.connect("lake", login=landing.access_key, password=landing.secret_key)
    with pytest.raises(OSError, match=r"s3://lake/conformed/marketing_api/campaigns/.*ACCESS_DENIED"):
        stack.conform("campaigns", landed)
    assert stack.loads("campaigns") == []


def test_one_bucket_may_hold_both(stack: Stack):
    stack.connect(
        "landing", **{name: stack.servers.connections["lake"][name] for name in ("login", "password", "extra")}
    )
    stack.load("marketing_api", "campaigns", days(1))
    stack.load("retail_db", "transactions", days(1))
    assert stack.table(TRANSACTIONS) == stack.bought(days(1))
    keys = [each["Key"] for each in stack.lake.client().list_objects_v2(Bucket="lake")["Contents"]]
    landed = [key for key in keys if key.startswith("landing/")]
    assert landed
    for key in landed:
        stack.lake.client().delete_object(Bucket="lake", Key=key)


@pytest.mark.parametrize("conn_id", ["lake", "landing"])
def test_a_connection_without_a_bucket_is_named(stack: Stack, conn_id: str):
    stack.connect(conn_id, extra={"bucket": ""})
    with pytest.raises(ValueError, match=rf"connection '{conn_id}': its extra names no bucket"):
        stack.extract("retail_db", "transactions", days(1))
