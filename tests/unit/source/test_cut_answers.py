"""An answer that ends in its midst is no answer: what it lacks is not taken for what is not there."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import boto3
import pytest
from botocore.config import Config

from datastack.contract.delivered import Delivered
from datastack.source.errors import SourceError
from datastack.source.files.s3 import S3Store
from datastack.source.files.store import Description

HEADERS = (
    b'HTTP/1.1 206 Partial Content\r\nETag: "v1"\r\nContent-Type: application/pdf\r\nContent-Length: 1\r\n'
    b"x-amz-meta-designer: Ana\r\n\r\n"
)
ANSWER = HEADERS + b"%"
DOCUMENT = Delivered(key="a.pdf", etag="v1", modified_at=datetime(2026, 1, 1, tzinfo=UTC), bytes=40_000)


@contextmanager
def store(answer: bytes) -> Iterator[S3Store]:
    """A store that answers so, and hangs up."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            with closing(server.accept()[0]) as client:
                client.recv(65536)
                client.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{server.getsockname()[1]}",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=5),
        )
        with S3Store(client, "drops") as opened:
            yield opened


def test_a_whole_answer_describes_a_document():
    with store(ANSWER) as opened:
        assert opened.describe(DOCUMENT) == Description("application/pdf", {"designer": "Ana"})


@pytest.mark.parametrize("end", range(0, len(ANSWER), 3))
def test_an_answer_that_was_cut_describes_nothing(end: int):
    with store(ANSWER[:end]) as opened, pytest.raises(SourceError, match=r"s3://drops/a\.pdf"):
        opened.describe(DOCUMENT)


def test_another_version_is_not_described():
    with store(ANSWER.replace(b"v1", b"v2")) as opened, pytest.raises(SourceError, match=r"a\.pdf has changed"):
        opened.describe(DOCUMENT)
