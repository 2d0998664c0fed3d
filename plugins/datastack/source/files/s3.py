"""Files in a bucket of S3, or of a store of its kind."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from datastack.contract.delivered import Delivered
from datastack.source.errors import SourceError
from datastack.source.files.globs import fixed_prefix, matches
from datastack.source.files.store import Description, Readable, Wanted, changed

_MISSING = ("404", "NoSuchKey", "NotFound")
_OTHER_VERSION = ("412", "PreconditionFailed")


class S3Store:
    """A bucket.

    :param client: of boto3.
    :param folder: the bucket, and the prefix in it, as ``bucket/prefix``.
    """

    readers = 4

    def __init__(self, client: Any, folder: str) -> None:
        self._client = client
        self._bucket, _, prefix = folder.strip("/").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def list(self, wanted: Wanted) -> list[Delivered]:
        """Objects that the glob matches; those that stand for folders are none."""
        prefix = self._prefix + fixed_prefix(wanted.files)
        found = []
        with self._named("listing", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for item in (item for page in pages for item in page.get("Contents", ())):
                key = item["Key"].removeprefix(self._prefix)
                if not key.endswith("/") and matches(key, wanted.files, wanted.exclude):
                    etag = item["ETag"].strip('"')
                    found.append(Delivered(key=key, etag=etag, modified_at=item["LastModified"], bytes=item["Size"]))
        return found

    @contextmanager
    def open(self, delivered: Delivered) -> Iterator[Readable]:
        """Open an object, if it is still the version that was listed; an answer is of one version from end to end."""
        with self._named("reading", delivered.key, delivered):
            answer = self._client.get_object(
                Bucket=self._bucket, Key=self._prefix + delivered.key, IfMatch=f'"{delivered.etag}"'
            )
            self._check(answer, delivered)
            with answer["Body"] as body:
                yield body

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        with self._named("looking for", key):
            try:
                self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
            except ClientError as error:
                if _code(error) in _MISSING:
                    return False
                raise
        return True

    def describe(self, delivered: Delivered) -> Description:
        """Content type and user metadata.

        They are asked for with a byte of the object: if a connection ends within the headers, Python's HTTP client
        takes those that came for all, and only the missing body tells
        (https://github.com/python/cpython/blob/3.11/Lib/http/client.py, ``_read_headers``).

        :raises SourceError: if the store fails, or the object has changed.
        """
        size = min(delivered.bytes, 1)
        byte = {"Range": "bytes=0-0"} if size else {}
        with self._named("describing", delivered.key, delivered):
            answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + delivered.key, **byte)
            whole = len(answer["Body"].read()) == size
        self._check(answer, delivered, whole)
        return Description(answer.get("ContentType"), answer.get("Metadata", {}))

    def _check(self, answer: Mapping[str, Any], delivered: Delivered, whole: bool = True) -> None:
        """See that an answer is one, and about the version that was listed."""
        if not whole or "ETag" not in answer:
            raise SourceError(f"asking for {self._uri(delivered.key)} failed: the answer was cut")
        if answer["ETag"].strip('"') != delivered.etag:
            raise changed(self._uri(delivered.key), delivered)

    def _uri(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{key}"

    @contextmanager
    def _named(self, doing: str, key: str, delivered: Delivered | None = None) -> Iterator[None]:
        """Name the object in every error."""
        uri = self._uri(key.removeprefix(self._prefix))
        try:
            yield
        except ClientError as error:
            if delivered and _code(error) in (*_MISSING, *_OTHER_VERSION):
                raise changed(uri, delivered) from error
            raise SourceError(f"{doing} {uri} failed: {error}") from error
        except BotoCoreError as error:
            raise SourceError(f"{doing} {uri} failed: {error}") from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code"))
