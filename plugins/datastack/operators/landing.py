"""Lands the pages of an API's stream, exactly as received; what an interrupted try has landed is not read again."""

import hashlib
import json
import logging
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datastack.codec.ahead import ahead
from datastack.contract.api_sources import ApiSource, ApiStream, Endpoint, Parent, PythonStream
from datastack.contract.model import Contract
from datastack.contract.slice import Slice
from datastack.lake.checkpoint import LandedPages, PagesCheckpoint, PagesPlan
from datastack.lake.layout import Place
from datastack.lake.manifest import Manifest, Part, Written, manifest_of
from datastack.lake.parts import PART_SECONDS, LinesParts, read_lines
from datastack.lake.store import LakeStore
from datastack.source.errors import SourceError
from datastack.source.rest.api import RestApi
from datastack.source.rest.errors import ContradictionError, RefusedStatusError
from datastack.source.rest.reading import Keys, Stand
from datastack.source.rest.walk import At, Page

log = logging.getLogger(__name__)

_FORGOTTEN = (400, 404, 410)  # what an API says of a cursor that it does not know any more
_BATCHES_AHEAD = 2


@dataclass
class Landing:
    """One try at a slice of an API's stream.

    :param file: where the function of a python stream stands.
    :param parent_manifest: key of the landing manifest of the parent, for a child endpoint.
    """

    lake: LakeStore
    contract: Contract
    source: ApiSource
    address: str
    window: Slice
    checkpoint: PagesCheckpoint
    file: Path
    parent_manifest: str | None = None
    _parts: list[Part] = field(default_factory=list)
    _marks: list[int] = field(default_factory=list)
    _last: Page | None = None

    def land(self, api: RestApi) -> Manifest:
        """Land the pages that have not landed yet; return the manifest of all of them. The checkpoint stays.

        :raises SourceError: if the API fails or contradicts itself. What has landed counts for the next try, unless it
            contradicts what else there is.
        """
        plan, landed = self._interrupted()
        try:
            return self._land(api, plan or self._begin(), landed)
        except (ContradictionError, RefusedStatusError) as error:
            if isinstance(error, RefusedStatusError) and not (landed and error.status in _FORGOTTEN):
                raise
            self.checkpoint.end()
            if not landed:
                raise
            log.warning("%s: can't go on after %d records, so it begins anew: %s", self, _records(landed), error)
            return self._land(api, self._begin(), [])

    def __str__(self) -> str:
        return f"{self.contract.source}.{self.contract.stream} {self.window}"

    @property
    def stream(self) -> ApiStream:
        """How the stream is read."""
        return self.source.endpoints[self.contract.stream]

    def _interrupted(self) -> tuple[PagesPlan | None, list[LandedPages]]:
        """Find what the run's earlier tries have left, if it is of use."""
        plan = self.checkpoint.plan()
        if plan is None:
            return None, []
        expected = (self.contract.version, self._declared, self.parent_manifest)
        if (plan.contract_version, plan.declared, plan.parent_manifest) != expected:
            log.info("%s: an earlier try was made for another declaration; it begins anew", self)
            return None, []
        landed = self.checkpoint.landed()
        if landed and not _goes_on(self.stream, landed[-1]):
            log.info("%s: no total is stated, so page numbers may mean other records by now; it begins anew", self)
            return None, []
        if landed:
            log.info("%s: goes on after %d records in %d parts", self, _records(landed), len(landed))
        return plan, landed

    def _begin(self) -> PagesPlan:
        plan = PagesPlan(
            attempt=uuid.uuid4().hex[:12],
            contract_version=self.contract.version,
            declared=self._declared,
            parent_manifest=self.parent_manifest,
            begun_at=datetime.now(UTC),
        )
        self.checkpoint.begin(plan)
        return plan

    @property
    def _declared(self) -> str:
        """Digest of what makes a position mean what it means."""
        text = f"{self.address} {json.dumps(self.source.headers)} {self.stream.model_dump_json()}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _land(self, api: RestApi, plan: PagesPlan, landed: list[LandedPages]) -> Manifest:
        place = Place(self.contract.source, self.contract.stream, self.contract.major, self.window, plan.attempt)
        stem = f"pages-{uuid.uuid4().hex[:6]}"  # a try that was taken for dead and is not writes elsewhere
        before = [each.part for each in landed]
        self._marks, self._last = [], None
        with LinesParts(self.lake, place, stem, landed=self._note, before=before) as out:
            self._parts = out.parts
            try:
                self._write(api, out, landed)
            except ContradictionError:
                raise
            except SourceError:
                out.land_old(0)  # what was read before is not read again
                raise
        written = Written(source_rows=sum(part.rows for part in out.parts), parts=tuple(out.parts))
        return manifest_of(self.contract, place, written, plan.begun_at)

    def _write(self, api: RestApi, out: LinesParts, landed: list[LandedPages]) -> None:
        with ahead(self._batches(api, landed), _BATCHES_AHEAD) as batches:
            for batch in batches:
                for page in batch:
                    if self._last and self._last.number != page.number:
                        self._marks = []
                    self._last = page
                    self._marks += page.marks
                    out.write(_line(page), page.rows)
                out.land_old(PART_SECONDS)

    def _batches(self, api: RestApi, landed: list[LandedPages]) -> Iterator[list[Page]]:
        stream = self.stream
        if isinstance(stream, PythonStream):
            return api.python_batches(self.file, self.contract.stream, stream, self.window)
        assert isinstance(stream, Endpoint)  # noqa: S101 there is no other kind
        parents = self._parents(stream.parent) if stream.parent else None
        return api.batches(stream, self.window, _stand(landed), parents)

    def _parents(self, parent: Parent) -> Iterable[Keys]:
        if self.parent_manifest is None:
            raise ValueError(f"{self}: a child endpoint needs its parent's manifest")
        manifest = self.lake.read_manifest(self.parent_manifest)
        return parent_keys(self.lake, manifest, self.source.endpoints[parent.stream], parent)

    def _note(self, part: Part) -> None:
        """Store that a part has landed, and where to go on."""
        page = self._last
        if page is None or page.at is None:
            return  # nothing tells how to go on with what a function yields
        at = {name: getattr(page.at, name) for name in At.__slots__}
        number, marks = len(self._parts), tuple(self._marks)
        self.checkpoint.add(LandedPages(number=number, part=part, list_number=page.number, marks=marks, **at))
        self._marks = []


def parent_keys(lake: LakeStore, manifest: Manifest, stream: ApiStream, parent: Parent) -> Iterator[Keys]:
    """Yield the keys of a parent's landed records, each once, in order.

    :raises SourceError: if a record has no value where a key is declared.
    """
    known: set[str] = set()
    for line in read_lines(lake, manifest.parts):
        content = json.loads(line.decode(errors="replace"))
        above, page = (content["parent"], content["page"]) if stream.parent else ({}, content)
        for record in records_at(page, stream.records):
            keys = {name: _key(above, record, path, parent) for name, path in parent.fields.items()}
            text = json.dumps(keys)
            if text not in known:
                known.add(text)
                yield keys


def records_at(page: Any, path: str | None) -> list[Any]:
    """Records of a parsed page."""
    found = _dig(page, path) if path else page
    return found if isinstance(found, list) else [found]


def _key(above: Keys, record: Any, path: str, parent: Parent) -> Any:
    value = above.get(path[2:]) if path.startswith("^.") else _dig(record, path)
    if value is None or isinstance(value, dict | list):
        raise SourceError(f"a record of {parent.stream} has no key at {path!r}: {record!r:.100}. Correct parent.fields")
    return value


def _dig(content: Any, path: str) -> Any:
    for step in path.split("."):
        content = content.get(step) if isinstance(content, dict) else None
    return content


def _line(page: Page) -> bytes:
    if page.parent is None:
        return page.body
    return b'{"parent":%s,"page":%s}' % (json.dumps(page.parent).encode(), page.body)


def _stand(landed: list[LandedPages]) -> Stand | None:
    if not landed:
        return None
    last = landed[-1]
    marks = (mark for each in landed if each.list_number == last.list_number for mark in each.marks)
    at = At(**{name: getattr(last, name) for name in At.__slots__})
    return Stand(at, last.list_number, frozenset(marks), last.marks[-1] if last.marks else None)


def _goes_on(stream: ApiStream, last: LandedPages) -> bool:
    """Whether what has landed can be gone on with: numbered pages only if a total tells that they are the same."""
    numbered = isinstance(stream, Endpoint) and stream.pagination.kind in ("page_number", "offset")
    return last.ended or not numbered or last.total is not None


def _records(landed: list[LandedPages]) -> int:
    return sum(each.part.rows for each in landed)
