"""Documents: kept as they are, a row on each; what is changed or deleted at their source is seen."""

import hashlib
import io
import zipfile
from typing import Any

import pytest

from datastack.contract.errors import DeclarationError
from datastack.contract.registry import load_source
from datastack.source.errors import SourceError
from tests.integration.files import ssh
from tests.integration.files.partner import PAPERS, Partner, contract

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


def live(partner: Partner, columns: str = "key") -> list[tuple[Any, ...]]:
    return partner.stack.rows(f"select {columns} from {PAPERS} where _deleted_at is null order by key")


def test_a_row_on_each(partner: Partner):
    partner.put("papers/a.pdf", PDF, ContentType="application/pdf", Metadata={"author": "Zoë".encode().hex()})
    partner.put("papers/deep/er/b.pdf", b"<!doctype html><html>Not found</html>", ContentType="application/pdf")
    partner.put("papers/c", "plain töxt".encode())
    assert partner.load_papers()["rows"] == 3
    found = live(partner, "key, media_type, media_type_claimed, bytes, metadata, sha256, lake_key, etag")
    claimed = {row[0]: row[2] for row in found}
    assert [row[:2] for row in found] == [
        ("papers/a.pdf", "application/pdf"), ("papers/c", "text/plain"), ("papers/deep/er/b.pdf", "text/html"),
    ]  # fmt: skip
    assert claimed["papers/deep/er/b.pdf"] == "application/pdf"
    _, _, _, size, metadata, sha256, lake_key, etag = found[0]
    assert (size, metadata) == (len(PDF), {"author": "Zoë".encode().hex()})
    assert sha256 == hashlib.sha256(PDF).hexdigest()
    assert partner.stack.get(lake_key) == PDF
    assert lake_key.endswith(".pdf")
    assert etag == hashlib.md5(PDF, usedforsecurity=False).hexdigest()
    assert partner.load_papers() is None


def test_only_what_is_new_is_copied(partner: Partner):
    partner.put("papers/a.pdf", PDF)
    partner.load_papers()
    partner.put("papers/b.png", PNG)
    assert partner.load_papers()["rows"] == 1
    assert len(partner.landed("papers")) == 2
    assert live(partner) == [("papers/a.pdf",), ("papers/b.png",)]
    assert partner.load_papers(reload=True)["rows"] == 2
    assert len(partner.landed("papers")) == 2


def test_what_is_changed_and_deleted_is_seen(partner: Partner):
    for name in ("a", "b", "c"):
        partner.put(f"papers/{name}.txt", name.encode())
    partner.load_papers()
    partner.put("papers/a.txt", b"another")
    partner.take_back("papers/b.txt")
    partner.load_papers()
    assert live(partner, "key, bytes") == [("papers/a.txt", 7), ("papers/c.txt", 1)]
    assert partner.load_papers() is None
    partner.put("papers/b.txt", b"back")
    partner.load_papers()
    assert live(partner, "key, bytes") == [("papers/a.txt", 7), ("papers/b.txt", 4), ("papers/c.txt", 1)]
    partner.take_back("papers/b.txt")  # nothing new, only a deletion
    assert partner.load_papers()["rows"] == 0
    assert live(partner) == [("papers/a.txt",), ("papers/c.txt",)]


def test_versions(partner: Partner):
    partner.declare(papers={"write": "scd2"})
    partner.put("papers/a.txt", b"1")
    partner.put("papers/b.txt", b"1")
    partner.load_papers()
    import time

    time.sleep(1.1)  # the store's times have seconds
    partner.put("papers/a.txt", b"22")
    partner.take_back("papers/b.txt")
    partner.load_papers()
    query = f"select key, bytes, _is_current from {PAPERS} order by key, _valid_from"
    assert partner.stack.rows(query) == [
        ("papers/a.txt", 1, False), ("papers/a.txt", 2, True), ("papers/b.txt", 1, False),
    ]  # fmt: skip
    assert partner.load_papers() is None


def test_an_empty_folder_is_not_believed(partner: Partner):
    assert partner.load_papers() is None
    partner.put("papers/a.txt", b"1")
    partner.load_papers()
    partner.take_back("papers/a.txt")
    with pytest.raises(SourceError, match=r"no document like 'papers/\*\*' in partner/in any more, and 1 are known"):
        partner.load_papers()
    assert live(partner) == [("papers/a.txt",)]
    partner.declare(papers={"allow_empty": True})
    partner.load_papers()
    assert live(partner) == []


def test_more_than_a_run_takes(partner: Partner):
    partner.declare(papers={"max_files": 2})
    for number in range(3):
        partner.put(f"papers/{number}.txt", b"x")
    assert partner.load_papers()["rows"] == 2
    assert partner.load_papers()["rows"] == 1
    assert len(live(partner)) == 3
    assert partner.load_papers() is None


def test_an_sftp_server(partner: Partner, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("papers")
    (folder / "papers").mkdir()
    (folder / "papers" / "a.pdf").write_bytes(PDF)
    with ssh.serving(folder) as server:
        login = {"conn_type": "sftp", "host": "127.0.0.1", "port": server.port, "login": ssh.USER}
        extra = {"host_key": server.host_key, "private_key": server.client_key}
        partner.at("sftp", "/", **login, extra=extra)
        partner.declare(papers={"settle": "PT0S"})
        partner.load_papers()
    assert live(partner, "key, media_type, media_type_claimed, metadata") == [
        ("papers/a.pdf", "application/pdf", None, {}),
    ]  # fmt: skip


def test_office_documents_are_told_from_archives(partner: Partner):
    for name, member in (("a.docx", "word/document.xml"), ("b.zip", "x.txt")):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(member, "x")
        partner.put(f"papers/{name}", out.getvalue())
    partner.load_papers()
    kinds = [kind.rpartition(".")[2] for _, kind in live(partner, "key, media_type")]
    assert kinds == ["document", "application/zip"]


@pytest.mark.parametrize(("types", "says"), [
    ({"key": "text", "etag": "text", "modified_at": "timestamptz", "colour": "text"}, "colour: a document has no such"),
    ({"key": "text", "etag": "text", "modified_at": "timestamptz", "bytes": "text"}, "bytes: is text, not bigint"),
    ({"key": "text", "modified_at": "timestamptz"}, "etag missing"),
])  # fmt: skip
def test_wrong_contracts(partner: Partner, tmp_path: Any, types: dict[str, str], says: str):
    import yaml

    file = tmp_path / "contracts" / "partner" / "papers.odcs.yaml"
    file.write_text(yaml.safe_dump(contract("papers", types)))
    load_source.cache_clear()
    with pytest.raises(DeclarationError, match=says):
        load_source("partner")


def test_wrong_declarations(partner: Partner):
    for change in (
        {"write": "append", "deletes": None},
        {"cursor": "key"},
        {"deletes": {"by": "column", "column": "x"}},
    ):
        partner.declare(papers=change)
        with pytest.raises(DeclarationError):
            load_source("partner")
