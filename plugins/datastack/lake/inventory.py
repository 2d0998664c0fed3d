"""Lists what stands in the lake, attempt by attempt, and deletes in bulk.

Works through boto3, which lists page by page and deletes a thousand objects at once; pyarrow does neither.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import Any

from datastack.lake.layout import MANIFEST, is_as_received

DELETED_AT_ONCE = 1000  # the most that S3 takes
_FOLDER = re.compile(
    r"(?P<room>[a-z]+)/(?P<source>[^/]+)/(?P<stream>[^/]+)/(v\d+/)?slice=(?P<slice>[^/]+)/(attempt|run)=[^/]+(?=/)"
)


@dataclass(frozen=True)
class Found:
    """An object: key, size in bytes, time of its last modification."""

    key: str
    bytes: int
    modified: datetime


@dataclass(frozen=True)
class Folder:
    """All objects of one attempt in one zone, or of one checkpoint.

    ``room`` is the zone, or what else the key begins with; ``newest`` the latest modification of its objects.
    ``has_manifest`` says whether the attempt exists for readers.
    """

    prefix: str
    room: str
    source: str
    stream: str
    slice: str
    objects: int
    bytes: int
    newest: datetime
    has_manifest: bool


@dataclass(frozen=True)
class Shelf:
    """A bucket, as boto3 sees it."""

    client: Any
    bucket: str

    def under(self, prefix: str) -> Iterator[Found]:
        """Yield the objects whose keys begin so, in the order of their keys, a page in memory at a time.

        :raises OSError: if the store refuses or fails; names bucket and prefix.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield Found(item["Key"], item["Size"], item["LastModified"])
        except (BotoCoreError, ClientError) as error:
            raise OSError(f"listing s3://{self.bucket}/{prefix} failed: {error}") from error

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, a thousand at once; one that is not there does not matter.

        :raises OSError: if the store refuses or fails; names the first object that is left.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        left_over = iter(keys)
        while some := list(islice(left_over, DELETED_AT_ONCE)):
            listed = {"Objects": [{"Key": key} for key in some], "Quiet": True}
            try:
                answer = self.client.delete_objects(Bucket=self.bucket, Delete=listed)
            except (BotoCoreError, ClientError) as error:
                raise OSError(f"deleting s3://{self.bucket}/{some[0]} failed: {error}") from error
            if left := answer.get("Errors"):
                raise OSError(
                    f"deleting s3://{self.bucket}/{left[0]['Key']} failed: {left[0].get('Code')}: "
                    f"{left[0].get('Message')}; {len(left)} of {len(some)} objects are left"
                )


@dataclass(frozen=True)
class Inventory:
    """The lake's two buckets as one: see :class:`datastack.lake.store.LakeStore`."""

    lake: Shelf
    landing: Shelf

    def folders(self, room: str) -> Iterator[Folder]:
        """Yield what stands in a zone, or in another room of the lake, folder by folder.

        Objects that are not laid out as ours are left out: nobody knows what they are.
        """
        for prefix, found in groupby(self.objects(f"{room}/"), _folder_of):
            if prefix is not None:
                yield _summed(prefix, found)

    def folder(self, prefix: str) -> Folder | None:
        """Look at one folder; None if there is nothing in it."""
        return next((_summed(prefix, found) for _, found in groupby(self.objects(f"{prefix}/"), _folder_of)), None)

    def objects(self, prefix: str) -> Iterator[Found]:
        """Yield the objects whose keys begin so."""
        return self._shelf(prefix).under(prefix)

    def delete(self, prefixes: Sequence[str]) -> None:
        """Delete folders of one room, their manifests first: without it, an attempt exists for nobody."""
        if prefixes:
            shelf = self._shelf(prefixes[0])
            shelf.delete(f"{prefix}/{MANIFEST}" for prefix in prefixes)
            shelf.delete(found.key for prefix in prefixes for found in self.objects(f"{prefix}/"))

    def _shelf(self, key: str) -> Shelf:
        return self.landing if is_as_received(key) else self.lake


def _folder_of(found: Found) -> str | None:
    match = _FOLDER.match(found.key)
    return match[0] if match else None


def _summed(prefix: str, found: Iterable[Found]) -> Folder:
    match = _FOLDER.match(f"{prefix}/")
    assert match  # noqa: S101 the prefix was found by it
    objects, size, newest, has_manifest = 0, 0, datetime.min.replace(tzinfo=UTC), False
    for each in found:
        objects, size, newest = objects + 1, size + each.bytes, max(newest, each.modified)
        has_manifest = has_manifest or each.key == f"{prefix}/{MANIFEST}"
    names = {name: match[name] for name in ("room", "source", "stream", "slice")}
    return Folder(prefix, **names, objects=objects, bytes=size, newest=newest, has_manifest=has_manifest)
