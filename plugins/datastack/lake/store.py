"""Reads and writes the lake's objects; every byte is counted and hashed on its way."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.fs as pafs

from datastack.lake.manifest import Manifest, ManifestError, Part


@dataclass(frozen=True)
class LakeStore:
    """A bucket behind a pyarrow filesystem; ``compression=None`` keeps that from packing .zst objects once more."""

    filesystem: pafs.FileSystem
    bucket: str

    def write_manifest(self, key: str, manifest: Manifest) -> None:
        """Store the manifest: from now on the attempt exists."""
        with self.filesystem.open_output_stream(self._path(key)) as stream:
            stream.write(manifest.to_json())

    def read_manifest(self, key: str) -> Manifest:
        """Fetch a manifest.

        :raises ManifestError: if it is missing or not valid.
        """
        return Manifest.from_json(key, self._read(key))

    def read_part(self, part: Part) -> bytes:
        """Fetch a part whole.

        :raises ManifestError: if it is missing, or its size or checksum is not that of the manifest.
        :raises OSError: if the lake fails; names the object.
        """
        content = self._read(part.key)
        if len(content) != part.bytes or hashlib.sha256(content).hexdigest() != part.sha256:
            raise ManifestError(
                f"{self.uri(part.key)} is not what its manifest says ({len(content)} bytes, expected {part.bytes}). "
                "Nothing was loaded from it; clear the extract task to write the slice again"
            )
        return content

    @contextmanager
    def open_part(self, key: str) -> Iterator["HashingStream"]:
        """Open an object for writing; an exception leaves no object that a manifest could name."""
        with self.filesystem.open_output_stream(self._path(key), compression=None) as raw:
            stream = HashingStream(raw)
            yield stream
            stream.flush()

    def uri(self, key: str) -> str:
        """Return the object's address as people and tools write it."""
        return f"s3://{self.bucket}/{key}"

    def _path(self, key: str) -> str:
        return f"{self.bucket}/{key}"

    def _read(self, key: str) -> bytes:
        try:
            with self.filesystem.open_input_stream(self._path(key), compression=None) as stream:
                return stream.read()
        except FileNotFoundError as error:
            raise ManifestError(
                f"{self.uri(key)} is not there. Clear the extract task to write the slice again"
            ) from error
        except OSError as error:  # some of S3's own errors don't say which object they are about
            raise OSError(f"reading {self.uri(key)} failed: {error}") from error


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
