"""A step ends with the Snakemake that started it, and holds a lock while it is at work.

Snakemake that is killed leaves its steps running; the next one would start the same steps beside
them. So Snakemake announces itself to the steps in their environment, every step watches it, and
the next Snakemake waits for the lock (:mod:`mluke_core.io.run_lock`). A step started by hand finds
no announcement and does nothing of this.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ENVIRONMENT_VARIABLE = "MLUKE_RUN"
# Seconds between two looks at the other process.
INTERVAL = 1.0
# Seconds that a step has to write a checkpoint after SIGTERM; as launch.sh gives to ranks.
GRACE = 600.0
# Kept open until the process ends, which releases the lock.
_held: list[int] = []


@dataclass(frozen=True)
class Process:
    """A process that can be told from a later one with the same number."""

    host: str
    pid: int
    started: str
    """In clock ticks after the machine; empty where the system does not say."""

    @classmethod
    def current(cls) -> Process:
        """This process."""
        return cls(socket.gethostname(), os.getpid(), _start_of(os.getpid()))

    def has_ended(self) -> bool:
        """True when it is known to be gone; False also when it cannot be seen from here."""
        if not self.started or self.host != socket.gethostname():
            return False
        try:
            return _start_of(self.pid) != self.started
        except OSError:
            return False


def _start_of(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    # The name in brackets may hold blanks.
    state, *fields = text.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]


def announce_run(steps_lock: Path) -> None:
    """Tell the steps that this process will start whom to watch and which file to lock."""
    announcement = {"process": asdict(Process.current()), "lock": str(steps_lock.absolute())}
    os.environ[ENVIRONMENT_VARIABLE] = json.dumps(announcement)


def follow_run() -> None:
    """Called by every step: hold the lock, and end when the Snakemake of this step has ended."""
    text = os.environ.get(ENVIRONMENT_VARIABLE)
    if not text:
        return
    announcement = json.loads(text)
    _hold(Path(announcement["lock"]))
    end_with(Process(**announcement["process"]))


def end_with(process: Process) -> None:
    """End this process, by SIGTERM first, soon after ``process`` has ended."""
    if process.has_ended():
        os.kill(os.getpid(), signal.SIGKILL)
    threading.Thread(target=_watch, args=(process,), daemon=True, name="lifeline").start()


def _watch(process: Process) -> None:
    pause = threading.Event()
    while not process.has_ended():
        pause.wait(INTERVAL)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


def _hold(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        # Its exclusive holder lets go at once, so this waits for a moment at most.
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except OSError:
        # No locks here, or a folder that cannot be written: the step itself will say so.
        return
    _held.append(descriptor)
