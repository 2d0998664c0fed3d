"""Conforms quarantined rows once more and brings those that fit now to the warehouse, exactly once."""

import logging
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby

from datastack.contract.conform import Conformer
from datastack.contract.model import Contract
from datastack.contract.privacy import Pseudonymiser
from datastack.contract.received import Received
from datastack.contract.sources import Stream
from datastack.lake.layout import Place, Zone
from datastack.lake.manifest import Manifest, Written, manifest_of
from datastack.lake.parts import read_batches
from datastack.lake.store import LakeStore
from datastack.operators.conforming import quarantined, store_conformed
from datastack.operators.loading import load_of
from datastack.operators.received import conformed
from datastack.warehouse.ledger import OpenPart, open_quarantine
from datastack.warehouse.load import Load, Outcome, RunRef
from datastack.warehouse.replay import replay

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replaying:
    """A stream whose quarantined rows are replayed.

    :param warehouse: libpq address, as the loader role.
    """

    lake: LakeStore
    contract: Contract
    stream: Stream
    pseudonymiser: Pseudonymiser
    warehouse: str
    run: RunRef
    manifests: list[Manifest] = field(default_factory=list)

    def loads(self) -> Iterator[tuple[Load, Outcome]]:
        """Replay what can be, the parts of each load in a transaction of their own; yield what came of it.

        A load of whose rows none fits now is left as it is.
        """
        parts = open_quarantine(self.warehouse, self.contract.source, self.contract.stream)
        by_load = sorted(parts, key=lambda part: part.load_id)
        for _, of_load in groupby(by_load, key=lambda part: part.load_id):
            if replayed := self._replay(list(of_load)):
                yield replayed

    def _replay(self, parts: Sequence[OpenPart]) -> tuple[Load, Outcome] | None:
        first = parts[0]
        names = (self.contract.source, self.contract.stream, self.contract.major)
        place = Place(*names, first.slice, uuid.uuid4().hex[:12])
        conformer = Conformer(self.contract, self.pseudonymiser)
        with conformed(conformer, self._received(parts)) as rows:
            written = store_conformed(self.lake, place, conformer, rows)
        if not written.rows:
            self._nothing_fits(place, written)
            return None
        manifest = self._manifest(place, written, parts)
        key = place.manifest(Zone.CONFORMED)
        self.lake.write_manifest(key, manifest)
        self.manifests.append(manifest)
        load = load_of(self.contract, self.stream, self.lake, key, manifest, self.run)
        log.info("%s: %s", load, manifest)
        ids = [part.quarantine_id for part in parts]
        return load, replay(self.warehouse, load, ids, read_batches(self.lake, manifest.parts))

    def _received(self, parts: Sequence[OpenPart]) -> Iterator[Received]:
        for part in parts:
            yield from quarantined(self.lake, part.part_key)

    def _manifest(self, place: Place, written: Written, parts: Sequence[OpenPart]) -> Manifest:
        made = manifest_of(self.contract, place, written, parts[0].extracted_at)
        return made.model_copy(update={"conformed_at": datetime.now(UTC), "delivered": parts[0].delivered})

    def _nothing_fits(self, place: Place, written: Written) -> None:
        """Say why, and keep the rows where they are: not twice."""
        for part in written.quarantine:
            self.lake.delete(part.key)
        log.warning(
            "%s.%s %s: none of %d rows fits %s %s, they stay in quarantine: %s",
            place.source,
            place.stream,
            place.slice,
            written.quarantined_rows,
            self.contract.file.name,
            self.contract.version,
            common(written.reasons),
        )


def common(reasons: dict[str, int]) -> str:
    """The most common reasons in words."""
    return "; ".join(f"{reason} ({rows} rows)" for reason, rows in Counter(reasons).most_common(5))
