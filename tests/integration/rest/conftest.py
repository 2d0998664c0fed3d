"""An API, and a lake, for each test that asks for them."""

from collections.abc import Iterator

import pytest

from datastack.lake.store import Bucket, LakeStore, s3
from local import object_store
from tests.integration.rest.landing import BUCKET
from tests.integration.rest.server import Api, serving


@pytest.fixture
def api() -> Iterator[Api]:
    """Serve an API."""
    with serving() as api:
        yield api


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object_store.Server]:
    """Start an object store."""
    identity = object_store.Identity("test", "rest-access-key", "rest-secret-key")
    with object_store.Server(tmp_path_factory.mktemp("objects"), [identity]) as server:
        server.create_buckets([BUCKET])
        yield server


@pytest.fixture
def lake(objects: object_store.Server) -> LakeStore:
    """Give a lake with nothing in it."""
    client = objects.client()
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    admin = objects.admin
    bucket = Bucket(s3(admin.access_key, admin.secret_key, None, object_store.REGION, objects.endpoint), BUCKET)
    return LakeStore(bucket, bucket)
