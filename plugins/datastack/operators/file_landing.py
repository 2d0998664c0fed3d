"""Copies files to the lake as they are: in bounded memory, counted and hashed, each version once."""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from datastack.contract.delivered import Delivered
from datastack.contract.model import Contract
from datastack.lake.layout import PART, Place, Zone
from datastack.lake.manifest import Manifest, ManifestError, Written, manifest_of
from datastack.lake.store import LakeStore
from datastack.operators.arrivals import Arrived
from datastack.source.files.store import FileStore, changed

_BLOCK = 1024 * 1024
_SUFFIX = re.compile(r"((?:\.[A-Za-z0-9]{1,8}){1,2})$")


@dataclass(frozen=True)
class Landed:
    """A file in the lake; ``is_new`` unless it had landed before."""

    key: str
    manifest: Manifest
    is_new: bool


@dataclass(frozen=True)
class FileLanding:
    """Brings files of a stream to the landing zone.

    What has landed of a version is found again by the version: a retry, or another run, does not copy it again. Each
    try writes an object of its own, so that one that fails can't harm what another has landed.

    :param known: keys of files that are loaded, with the version of each: a version that comes back after another one
        was loaded is landed anew, as it is the newest.
    """

    lake: LakeStore
    contract: Contract
    store: FileStore
    known: Mapping[str, str]

    def land(self, files: Sequence[Arrived]) -> Iterator[Landed]:
        """Land files, several at a time; yield them in order.

        :raises SourceError: if a file can't be read, or is changed meanwhile. What has landed stays.
        """
        with ThreadPoolExecutor(self.store.readers, thread_name_prefix="land-file") as pool:
            landing = [pool.submit(self._landed, arrived) for arrived in files]
            try:
                for each in landing:
                    yield each.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _landed(self, arrived: Arrived) -> Landed:
        place = self._place(arrived)
        key = place.manifest(Zone.LANDING)
        if found := self._found(key):
            return Landed(key, found, is_new=False)
        manifest = self._copied(arrived.delivered, place)
        self.lake.write_manifest(key, manifest)
        return Landed(key, manifest, is_new=True)

    def _place(self, arrived: Arrived) -> Place:
        found = arrived.delivered
        what = (found.key, found.etag, found.modified_at.isoformat(), self.known.get(found.key, ""))
        version = sha256("\0".join(what).encode()).hexdigest()[:12]
        return Place(self.contract.source, self.contract.stream, self.contract.major, arrived.slice, version)

    def _found(self, key: str) -> Manifest | None:
        if not self.lake.exists(key):
            return None
        try:
            manifest = self.lake.read_manifest(key)
        except ManifestError:  # cut short: as good as none
            return None
        return manifest if all(self.lake.exists(part.key) for part in manifest.parts) else None

    def _copied(self, delivered: Delivered, place: Place) -> Manifest:
        begun_at = datetime.now(UTC)
        key = place.part(Zone.LANDING, f"{PART}-{uuid.uuid4().hex[:6]}", 1, suffix(delivered.key))
        with self.store.open(delivered) as file, self.lake.open_part(key) as out:
            while block := file.read(_BLOCK):
                out.write(block)
            if out.count != delivered.bytes:
                raise changed(
                    f"{delivered.key}, of which {out.count} bytes came instead of {delivered.bytes},", delivered
                )
        part = out.part(key, rows=1).model_copy(update={"delivered": delivered})
        return manifest_of(self.contract, place, Written(source_rows=1, parts=(part,)), begun_at)


def suffix(key: str) -> str:
    """End of a file's name by which people and tools know it, without the point: ``csv.gz``."""
    found = _SUFFIX.search(key.rpartition("/")[2].lstrip("."))
    return found[1].lstrip(".") if found else "bin"
