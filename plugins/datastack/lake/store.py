"""Reads and writes the lake's objects; every byte is counted and hashed on its way."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.fs as pafs

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
        background_writes=False,  # in the background, everything that the network is too slow for would pile up
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=4),
    )


@dataclass(frozen=True)
class LakeStore:
    """A bucket behind a pyarrow filesystem; ``compression=None`` keeps that from packing .zst objects once more."""

    filesystem: pafs.FileSystem
    bucket: str

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
        path = self._path(part.key)
        with self._named("reading", part.key), self.filesystem.open_input_file(path) as file:
            content = file.read_buffer()
        if len(content) != part.bytes or hashlib.sha256(content).hexdigest() != part.sha256:
            raise ManifestError(
                f"{self.uri(part.key)} is not what its manifest says ({len(content)} bytes, expected {part.bytes}). "
                "Nothing was loaded from it; clear the extract task to write the slice again"
            )
        return content

    @contextmanager
    def open_part(self, key: str) -> Iterator["HashingStream"]:
        """Open an object for writing; an exception leaves no object that a manifest could name."""
        with (
            self._named("writing", key),
            self.filesystem.open_output_stream(self._path(key), compression=None) as raw,
        ):
            stream = HashingStream(raw)
            yield stream
            stream.flush()

    def write(self, key: str, content: bytes) -> None:
        """Store a small object."""
        with self._named("writing", key), self.filesystem.open_output_stream(self._path(key)) as stream:
            stream.write(content)

    def read(self, key: str) -> bytes:
        """Fetch an object whole.

        :raises ManifestError: if it is missing.
        :raises OSError: if the lake fails; names the object.
        """
        with (
            self._named("reading", key),
            self.filesystem.open_input_stream(self._path(key), compression=None) as stream,
        ):
            return stream.read()

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        with self._named("looking for", key):
            return self.filesystem.get_file_info(self._path(key)).type == pafs.FileType.File

    def keys(self, prefix: str) -> list[str]:
        """Keys of the objects in a folder, sorted."""
        folder = pafs.FileSelector(self._path(prefix), allow_not_found=True)
        with self._named("listing", prefix):
            return sorted(f"{prefix}/{info.base_name}" for info in self.filesystem.get_file_info(folder))

    def delete(self, key: str) -> None:
        """Delete an object, if it is there."""
        with self._named("deleting", key), suppress(FileNotFoundError):
            self.filesystem.delete_file(self._path(key))

    def uri(self, key: str) -> str:
        """Return the object's address as people and tools write it."""
        return f"s3://{self.bucket}/{key}"

    def _path(self, key: str) -> str:
        return f"{self.bucket}/{key}"

    @contextmanager
    def _named(self, doing: str, key: str) -> Iterator[None]:
        """Name the object in every error: some of S3's own don't say which object they are about."""
        try:
            yield
        except FileNotFoundError as error:
            raise ManifestError(
                f"{self.uri(key)} is not there. Clear the extract task to write the slice again"
            ) from error
        except OSError as error:
            raise OSError(f"{doing} {self.uri(key)} failed: {error}") from error


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
