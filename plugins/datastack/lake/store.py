"""Reads and writes the lake's objects; every byte is counted and hashed on its way.

What is as received, personal data in clear text, stands in a bucket with an access of its own.
"""

import hashlib
import io
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.fs as pafs

from datastack.lake.layout import is_as_received
from datastack.lake.manifest import Manifest, ManifestError, Part


def s3(
    access_key: str, secret_key: str, token: str | None, region: str | None, endpoint: str | None
) -> pafs.S3FileSystem:
    """Connect to S3, or to a store of its kind at an endpoint."""
    return pafs.S3FileSystem(
        access_key=access_key,
        secret_key=secret_key,
        session_token=token,
        region=region,
        endpoint_override=endpoint,
        connect_timeout=10,
        request_timeout=60,
        allow_delayed_open=True,  # what is small is put in one request, not as an upload of several
        background_writes=False,  # in the background, everything that the network is too slow for would pile up
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=4),
    )


@dataclass(frozen=True)
class Bucket:
    """A bucket behind a pyarrow filesystem, which holds the credentials for it."""

    filesystem: pafs.FileSystem
    name: str


@dataclass(frozen=True)
class LakeStore:
    """Two buckets as one: a key's zone says in which of them it stands.

    ``landing`` holds the zones of what is as received, ``lake`` everything else. They may be the same.
    ``compression=None`` keeps pyarrow from packing .zst objects once more.
    """

    lake: Bucket
    landing: Bucket

    def write_manifest(self, key: str, manifest: Manifest) -> None:
        """Store the manifest: from now on the attempt exists."""
        self.write(key, manifest.to_json())

    def read_manifest(self, key: str) -> Manifest:
        """Fetch a manifest.

        :raises ManifestError: if it is missing or not valid.
        """
        return Manifest.from_json(key, self.read(key))

    def read_part(self, part: Part) -> pa.Buffer:
        """Fetch a part whole.

        :raises ManifestError: if it is missing, or its size or checksum is not that of the manifest.
        :raises OSError: if the lake fails; names the object.
        """
        filesystem, path = self._at(part.key)
        with self.named("reading", part.key), filesystem.open_input_file(path) as file:
            content = file.read_buffer()
        if len(content) != part.bytes or hashlib.sha256(content).hexdigest() != part.sha256:
            raise self.altered(part, len(content))
        return content

    def require(self, parts: Collection[Part]) -> None:
        """See that parts stand in the lake, whole.

        :raises ManifestError: if one is missing, or has another size than was written.
        """
        folders = {part.key.rpartition("/")[0] for part in parts}
        sizes = {key: size for folder in folders for key, size in self._listed(folder)}
        for part in parts:
            with self.named("looking for", part.key):
                if part.key not in sizes:
                    raise FileNotFoundError
                if sizes[part.key] != part.bytes:
                    raise self.altered(part, sizes[part.key])

    def altered(self, part: Part, size: int) -> ManifestError:
        """Say that an object is another one than was written."""
        return ManifestError(
            f"{self.uri(part.key)} is not what its manifest says ({size} bytes, expected {part.bytes}). "
            "Nothing was loaded from it; clear the task that extracts it to read the slice anew"
        )

    @contextmanager
    def stream_part(self, part: Part) -> Iterator["CheckedStream"]:
        """Open a part that is too large to be fetched whole, to be read from front to end.

        :raises ManifestError: if it is missing or, at the end of the block, not what its manifest says.
        :raises OSError: if the lake fails; names the object.
        """
        filesystem, path = self._at(part.key)
        with self.named("reading", part.key):
            file = filesystem.open_input_stream(path, compression=None)
        with file:
            stream = CheckedStream(self, part, file)
            yield stream
            stream.check()

    @contextmanager
    def open_part(self, key: str) -> Iterator["HashingStream"]:
        """Open an object for writing; an exception leaves no object that a manifest could name."""
        filesystem, path = self._at(key)
        with self.named("writing", key), filesystem.open_output_stream(path, compression=None) as raw:
            stream = HashingStream(raw)
            yield stream
            stream.flush()

    def write(self, key: str, content: bytes) -> None:
        """Store a small object."""
        filesystem, path = self._at(key)
        with self.named("writing", key), filesystem.open_output_stream(path) as stream:
            stream.write(content)

    def read(self, key: str) -> bytes:
        """Fetch an object whole.

        :raises ManifestError: if it is missing.
        :raises OSError: if the lake fails; names the object.
        """
        filesystem, path = self._at(key)
        with self.named("reading", key), filesystem.open_input_stream(path, compression=None) as stream:
            return stream.read()

    def head(self, key: str, size: int) -> bytes:
        """Fetch the first bytes of an object, up to so many.

        :raises ManifestError: if it is missing.
        """
        filesystem, path = self._at(key)
        with self.named("reading", key), filesystem.open_input_file(path) as file:
            return file.read(size)

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        filesystem, path = self._at(key)
        with self.named("looking for", key):
            return filesystem.get_file_info(path).type == pafs.FileType.File

    def keys(self, prefix: str) -> list[str]:
        """Keys of the objects in a folder, sorted."""
        return sorted(key for key, _ in self._listed(prefix))

    def delete(self, key: str) -> None:
        """Delete an object, if it is there."""
        filesystem, path = self._at(key)
        with self.named("deleting", key), suppress(FileNotFoundError):
            filesystem.delete_file(path)

    def uri(self, key: str) -> str:
        """Return the object's address as people and tools write it."""
        return f"s3://{self._bucket(key).name}/{key}"

    def _listed(self, prefix: str) -> list[tuple[str, int]]:
        """Keys and sizes of a folder's objects."""
        filesystem, path = self._at(prefix)
        folder = pafs.FileSelector(path, allow_not_found=True)
        with self.named("listing", prefix):
            return [(f"{prefix}/{info.base_name}", info.size) for info in filesystem.get_file_info(folder)]

    def _bucket(self, key: str) -> Bucket:
        return self.landing if is_as_received(key) else self.lake

    def _at(self, key: str) -> tuple[pafs.FileSystem, str]:
        bucket = self._bucket(key)
        return bucket.filesystem, f"{bucket.name}/{key}"

    @contextmanager
    def named(self, doing: str, key: str) -> Iterator[None]:
        """Name the object in every error: some of S3's own don't say which object they are about."""
        try:
            yield
        except FileNotFoundError as error:
            raise ManifestError(
                f"{self.uri(key)} is not there. Clear the task that extracts it to read the slice anew"
            ) from error
        except OSError as error:
            raise OSError(f"{doing} {self.uri(key)} failed: {error}") from error


class CheckedStream:
    """A part on its way, counted and hashed."""

    def __init__(self, lake: LakeStore, part: Part, file: pa.NativeFile) -> None:
        self._lake, self._part, self._file = lake, part, file
        self._sha, self._count = hashlib.sha256(), 0

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        with self._lake.named("reading", self._part.key):
            block: bytes = self._file.read(size)
        self._sha.update(block)
        self._count += len(block)
        return block

    def check(self) -> None:
        """Read what is left, and compare all of it with what the manifest says."""
        while self.read(1 << 20):
            pass
        if self._count != self._part.bytes or self._sha.hexdigest() != self._part.sha256:
            raise self._lake.altered(self._part, self._count)


class HashingStream(io.RawIOBase):
    """A write-only stream that knows how many bytes passed, and their SHA-256."""

    def __init__(self, target: pa.NativeFile) -> None:
        super().__init__()
        self._target, self._sha, self.count = target, hashlib.sha256(), 0

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, data: object) -> int:
        """Pass bytes on."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        self._sha.update(view)
        self._target.write(view)
        self.count += len(view)
        return len(view)

    def part(self, key: str, rows: int) -> Part:
        """Describe what was written."""
        return Part(key=key, rows=rows, bytes=self.count, sha256=self._sha.hexdigest())
