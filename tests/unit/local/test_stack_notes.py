"""The notes by which `down` knows what it may stop."""

import json
import subprocess
import sys
import time

import psutil
import pytest

from local.run_file import RunFile, family, kill_family


@pytest.fixture
def sleeper():
    """Start a process that leads a session, with a child."""
    code = "import subprocess, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    while len(family(process.pid)) < 2:
        time.sleep(0.02)
    yield process
    kill_family(process.pid)
    process.wait()


def test_what_was_noted_is_known_and_stopped_with_its_children(tmp_path, sleeper):
    notes = RunFile(tmp_path)
    notes.begin(sleeper.pid)
    notes.add_process("server", sleeper.pid)
    child = next(process for process in family(sleeper.pid) if process.pid != sleeper.pid)
    assert notes.supervisor().pid == sleeper.pid
    assert notes.stop(grace=1)
    sleeper.wait(5)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert not notes.stop()


def test_another_process_with_a_noted_id_is_left_alone(tmp_path, sleeper):
    notes = RunFile(tmp_path)
    notes.begin(sleeper.pid)
    notes.add_process("server", sleeper.pid)
    path = tmp_path / "run.json"
    told = json.loads(path.read_text())
    stale = [sleeper.pid, told["supervisor"][1] - 100]
    path.write_text(json.dumps({"supervisor": stale, "processes": {"server": stale}}))
    assert not notes.stop(grace=1)
    assert sleeper.poll() is None


def test_processes_are_released_by_name(tmp_path):
    notes = RunFile(tmp_path)
    assert notes.released() == []
    notes.release(["scheduler"])
    notes.release(["replayer"])
    assert notes.released() == ["scheduler", "replayer"]


def test_what_outlived_its_parent_is_stopped_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parent = subprocess.Popen(["sh", "-c", "sleep 60 & exec sleep 60"], start_new_session=True)
    while len(family(parent.pid)) < 2:
        time.sleep(0.02)
    notes = RunFile(tmp_path)
    notes.begin(parent.pid)
    notes.add_process("server", parent.pid)
    (orphan,) = (process for process in family(parent.pid) if process.pid != parent.pid)
    parent.kill()
    parent.wait()
    assert notes.stop(grace=1)
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
