"""One Snakemake at a time in a folder of results.

Snakemake's own lock is a list of files that a killed one leaves behind, and it does not see another
Snakemake that works on the same results from another folder. This one is a file lock, which the
system releases whenever its holder ends, however it ends. A second lock is shared by the steps
(:mod:`mluke_core.io.lifeline`), so that nobody starts beside those of a run that was killed.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import socket
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from mluke_core.errors import MlukeError
from mluke_core.io.future_dates import date_back_to_now

log = logging.getLogger("mluke")

RUN_LOCK = ".run.lock"
STEPS_LOCK = ".steps.lock"
# Seconds to wait for the steps of a run that was killed: they look after it every second.
PATIENCE = 60.0
# What a step that is killed leaves: files of atomic_path, spill folders, an extractor's input.
LEFTOVERS = (".*.tmp", ".duckdb-*", ".wikiextractor-*")
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
_held: list[int] = []


def take_run_lock(folder: Path, patience: float = PATIENCE) -> None:
    """Be the only Snakemake in ``folder`` until this process ends.

    Removes what killed steps left there, and brings files dated in the future to the present.

    Raises:
        MlukeError: another one is at work there, or steps of an earlier one are and do not end
            within ``patience`` seconds; or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        own = _open(folder / RUN_LOCK)
        steps = _open(folder / STEPS_LOCK)
    except OSError as error:
        raise MlukeError(
            f"{error.filename}: {error.strerror}. Free some space or make the folder writable, or "
            "choose another with --config results=FOLDER."
        ) from None
    try:
        if not _lock(own):
            raise MlukeError(
                f"{folder}: another Snakemake is at work there ({_holder(own)}). Wait until it "
                "has ended, or stop it; this one has changed nothing."
            )
        _wait_for_steps(folder, steps, patience)
        _remove_leftovers(folder)
    except BaseException as error:
        os.close(own)
        if not isinstance(error, OSError) or error.errno not in _NO_LOCKS:
            raise
        log.warning("%s: no file locks here; see that only one Snakemake works on it", folder)
        return
    finally:
        os.close(steps)
    date_back_to_now(folder)
    _held.append(own)
    now = datetime.now().isoformat(" ", "seconds")
    # For the message to a second one only, so a full disk may do without it.
    with suppress(OSError):
        os.ftruncate(own, 0)
        os.pwrite(own, f"process {os.getpid()} on {socket.gethostname()}, since {now}".encode(), 0)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed steps left under ``folder``, unless a step is at work there."""
    steps = _open(folder / STEPS_LOCK)
    try:
        if _lock(steps):
            _remove_leftovers(folder)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    finally:
        os.close(steps)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 1000, 0).decode("utf-8", "replace") or "it has just started"


def _wait_for_steps(folder: Path, steps: int, patience: float) -> None:
    end = time.monotonic() + patience
    told = False
    while not _lock(steps):
        if time.monotonic() >= end:
            raise MlukeError(
                f"{folder}: steps that an earlier Snakemake started are still at work. They save "
                "what they have and end by themselves after it; jobs of a cluster go on until "
                "they are done or cancelled (squeue, scancel). On this machine "
                f"`fuser -v {folder / STEPS_LOCK}` names them. Start again when they have ended."
            )
        if not told:
            log.warning("%s: waiting for steps of an earlier run to end", folder)
            told = True
        time.sleep(0.2)


def _remove_leftovers(folder: Path) -> None:
    for pattern in LEFTOVERS:
        for path in list(folder.rglob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
