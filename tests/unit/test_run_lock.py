"""One Snakemake per folder of results; steps that end with theirs; disks that say no."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from mluke_core.errors import MlukeError
from mluke_core.io import lifeline
from mluke_core.io.disk_errors import explain_disk_error
from mluke_core.io.files import atomic_path
from mluke_core.io.future_dates import date_back_to_now
from mluke_core.io.lifeline import ENVIRONMENT_VARIABLE, Process, announce_run
from mluke_core.io.parquet import ParquetSink, stage_metadata
from mluke_core.io.run_lock import RUN_LOCK, STEPS_LOCK, remove_leftovers, take_run_lock

HOLDER = """
import sys
from pathlib import Path
from mluke_core.io.run_lock import take_run_lock
take_run_lock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""
# A step of a run whose Snakemake is the process named in the environment.
STEP = """
import sys
from mluke_core.io.cli import run_step, step_parser
def wait(arguments):
    print("at work", flush=True)
    sys.stdin.read()
sys.exit(run_step(step_parser("a step"), wait, []))
"""

# Reads a JSON dump with a pool of processes, and stops in the middle.
POOL = """
import multiprocessing, sys
from mluke_core.alignment.sitelink_readers import _parse_blocks
def blocks():
    yield b'{"id": "Q1", "sitelinks": {}}\\n'
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    sys.stdin.read()
list(_parse_blocks(blocks(), ["enwiki"], 8))
"""


def python(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_second_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    first = python(HOLDER, str(tmp_path))
    try:
        assert first.stdout is not None and first.stdout.readline() == "held\n"
        message = rf"another Snakemake is at work there \(process {first.pid} on .*, since .*\)"
        with pytest.raises(MlukeError, match=message):
            take_run_lock(tmp_path)
    finally:
        first.kill()
        first.communicate()
    take_run_lock(tmp_path)


def test_leftovers_go_unless_a_step_is_at_work(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    half = tmp_path / "pages" / ".a.parquet.123.tmp"
    folder = tmp_path / "work" / ".duckdb-x"
    folder.mkdir(parents=True)
    half.write_text("ha")
    with open(tmp_path / STEPS_LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        remove_leftovers(tmp_path)
        assert half.exists()
        with pytest.raises(MlukeError, match=r"still at work.*fuser -v .*\.steps\.lock"):
            take_run_lock(tmp_path, patience=0.0)
        assert half.exists()
    take_run_lock(tmp_path)
    assert not half.exists()
    assert not folder.exists()
    assert (tmp_path / RUN_LOCK).exists()


def test_a_step_ends_with_its_snakemake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when nobody has asked yet how the killed one ended: it is a zombie then."""
    snakemake = python("import sys; print(flush=True); sys.stdin.read()")
    assert snakemake.stdout is not None
    snakemake.stdout.readline()
    monkeypatch.setattr(
        Process,
        "current",
        lambda: Process(os.uname().nodename, snakemake.pid, lifeline._start_of(snakemake.pid)),
    )
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "")
    announce_run(tmp_path / STEPS_LOCK)
    step = python(STEP)
    try:
        assert step.stdout is not None and step.stdout.readline() == "at work\n"
        assert step.poll() is None
        with open(tmp_path / STEPS_LOCK) as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        snakemake.kill()
        assert step.wait(600) == -signal.SIGTERM
        late = python(STEP)
        assert late.wait(600) == -signal.SIGKILL
    finally:
        for process in (step, snakemake):
            process.kill()
            process.communicate()


def test_a_pool_ends_with_its_step() -> None:
    step = python(POOL)
    workers: list[int] = []
    try:
        assert step.stdout is not None
        workers = [int(word) for word in step.stdout.readline().split()]
        assert workers
        assert all(lifeline._start_of(worker) for worker in workers)
        step.kill()
        step.wait()
        end = time.monotonic() + 120
        while any(map(lifeline._start_of, workers)):
            assert time.monotonic() < end, "a worker goes on without its step"
            time.sleep(0.05)
    finally:
        step.kill()
        for pid in filter(lifeline._start_of, workers):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        step.communicate()


def test_processes_of_other_machines_and_numbers_used_again() -> None:
    own = Process.current()
    assert not own.has_ended()
    assert Process(own.host, own.pid, own.started + "1").has_ended()
    assert not Process("elsewhere", own.pid, "1").has_ended()
    assert not Process(own.host, own.pid, "").has_ended()


def test_files_of_the_future_keep_their_order(tmp_path: Path) -> None:
    now = time.time()
    for name, days in {"past": -1, "soon": 1, "late": 900}.items():
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (now + days * 86400,) * 2)
    assert date_back_to_now(tmp_path) == 2
    times = {path.name: path.stat().st_mtime for path in tmp_path.iterdir()}
    assert times["past"] == pytest.approx(now - 86400, abs=1)
    assert times["past"] < times["soon"] < times["late"] <= time.time()
    assert date_back_to_now(tmp_path) == 0


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space"),
        RuntimeError("Error while serializing: I/O error: No space left (os error 28)"),
    ],
)
def test_full_disk_names_the_file(tmp_path: Path, error: Exception) -> None:
    path = tmp_path / "a.bin"
    with (
        pytest.raises(MlukeError, match=r"a\.bin: No space left on device \(it needs more than"),
        atomic_path(path) as temporary,
    ):
        temporary.write_bytes(b"half")
        raise error
    assert list(tmp_path.iterdir()) == []
    assert explain_disk_error(ValueError("something else"), path) is None


def test_of_two_open_files_the_full_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa

    schema = pa.schema([("a", pa.int32())])
    metadata = stage_metadata("extract", {})
    with (
        pytest.raises(MlukeError, match="outer"),
        ParquetSink(tmp_path / "outer", schema, metadata, row_group_size=1) as outer,
        ParquetSink(tmp_path / "inner", schema, metadata),
    ):

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(outer._writer._writer, "write_batch", full)
        outer.append((1,))
    assert list(tmp_path.iterdir()) == []
