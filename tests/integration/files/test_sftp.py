"""Files of an SFTP server whose key is known."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from datastack.source.errors import SourceError
from datastack.source.files.sftp import SftpLogin, SftpStore
from datastack.source.files.store import ChangedError, Wanted
from tests.integration.files.ssh import PASSWORD, USER, Sftp, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sftp]:
    with serving(tmp_path_factory.mktemp("sftp")) as server:
        yield server


@pytest.fixture
def folder(server: Sftp, request: pytest.FixtureRequest) -> Path:
    made = server.folder / request.node.name.replace("[", "_").replace("]", "_")
    made.mkdir()
    return made


def login(server: Sftp, **changes: str | None) -> SftpLogin:
    known = SftpLogin("127.0.0.1", server.port, USER, server.host_key, password=PASSWORD)
    return replace(known, **changes)  # type: ignore[arg-type]


def store_of(server: Sftp, folder: Path, **changes: str | None) -> SftpStore:
    return SftpStore(login(server, **changes), f"/{folder.name}")


def put(folder: Path, **files: bytes) -> None:
    for name, content in files.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(content)


def keys(store: SftpStore, files: str, *exclude: str) -> list[str]:
    return sorted(found.key for found in store.list(Wanted(files, exclude)))


def test_files_by_glob(server: Sftp, folder: Path):
    put(folder, **{
        "a.csv": b"1", "b.txt": b"2", "c.csv.part": b"", "d.csv.filepart": b"", "e.csv.tmp": b"", "f.csv~": b"",
        ".g.csv": b"", "in__2019__h.csv": b"3", "in__i.csv": b"4", ".hidden__j.csv": b"", "in__K.CSV.TMP": b"",
    })  # fmt: skip
    (folder / "link.csv").symlink_to("/etc/passwd")
    (folder / "away").symlink_to("/etc")
    with store_of(server, folder) as store:
        assert keys(store, "*.csv") == ["a.csv"]
        assert keys(store, "**/*.csv") == ["a.csv", "in/2019/h.csv", "in/i.csv"]
        assert keys(store, "**") == ["a.csv", "b.txt", "in/2019/h.csv", "in/i.csv"]
        assert keys(store, "in/*/?.csv") == ["in/2019/h.csv"]
        assert keys(store, "**", "in/**", "*.txt") == ["a.csv"]
        assert store.exists("a.csv")
        assert not store.exists("z.csv")


@pytest.mark.parametrize("size", [0, 1, 32 * 1024, 4 * 1024 * 1024, 9 * 1024 * 1024 + 7])
def test_content(server: Sftp, folder: Path, size: int):
    content = os.urandom(size)
    put(folder, **{"a.bin": content})
    with store_of(server, folder) as store:
        [found] = store.list(Wanted("*"))
        assert found.bytes == size
        with store.open(found) as file:
            assert b"".join(iter(lambda: file.read(1_000_000), b"")) == content


@pytest.mark.parametrize("change", ["before", "during", "deleted", "shorter"])
def test_files_that_change(server: Sftp, folder: Path, change: str):
    put(folder, **{"a.csv": b"x" * 10_000_000})
    with store_of(server, folder) as store:
        [found] = store.list(Wanted("*"))
        if change == "before":
            os.utime(folder / "a.csv", (1, 1))
        if change == "deleted":
            (folder / "a.csv").unlink()

        def read() -> None:
            with store.open(found) as file:
                while file.read(1_000_000):
                    if change == "during":
                        put(folder, **{"a.csv": b"y" * 10_000_001})
                    if change == "shorter":
                        put(folder, **{"a.csv": b"y"})

        with pytest.raises(SourceError) as refused:
            read()
    assert "a.csv" in str(refused.value)
    assert isinstance(refused.value, ChangedError) or change == "shorter"


def test_logins(server: Sftp, folder: Path):
    put(folder, **{"a.csv": b"1"})
    with store_of(server, folder, password=None, private_key=server.client_key) as store:
        assert keys(store, "*") == ["a.csv"]
    locked = asyncssh.import_private_key(server.client_key).export_private_key(passphrase="open").decode()
    with store_of(server, folder, password=None, private_key=locked, passphrase="open") as store:
        assert keys(store, "*") == ["a.csv"]


@pytest.mark.parametrize(("changes", "says"), [
    ({"password": "wrong"}, "Authentication failed"),
    ({"host_key": "not a key"}, "host_key is no public key"),
    ({"host_key": ""}, "host_key is no public key"),
    ({"password": None, "private_key": "nonsense"}, "private_key can't be read"),
])  # fmt: skip
def test_logins_that_fail(server: Sftp, folder: Path, changes: dict[str, str | None], says: str):
    store = store_of(server, folder, **changes)
    with pytest.raises(SourceError, match=says) as refused, store:
        pass
    assert PASSWORD not in str(refused.value)
    assert f"sftp://127.0.0.1:{server.port}" in str(refused.value)


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
def test_a_server_with_another_key_is_not_trusted(server: Sftp, folder: Path, kind: str):
    other = asyncssh.generate_private_key(kind).export_public_key().decode().strip()
    store = store_of(server, folder, host_key=other)
    with pytest.raises(SourceError, match=r"connecting to sftp://.*: ") as refused, store:
        pass
    if kind == "ssh-ed25519":
        assert "not the one that the connection names" in str(refused.value)


def test_a_folder_that_is_not_there(server: Sftp):
    with (
        SftpStore(login(server), "/nowhere") as store,
        pytest.raises(SourceError, match=r"listing sftp://.*/nowhere failed: it is not there"),
    ):
        store.list(Wanted("*"))


def test_a_server_that_is_not_there(server: Sftp, folder: Path):
    with (
        pytest.raises(SourceError, match=r"connecting to sftp://127.0.0.1:1 failed"),
        SftpStore(replace(login(server), port=1), "/"),
    ):
        pass
