"""A small run of the DAG that a drill strikes at: its folder, its processes, what it makes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT

CONFIG = Path(__file__).with_name("drill_config.yaml")
PROJECT = ("Snakefile", "rules", "workflow_scripts", "config.yaml", "profiles", "envs", "report")
# Beyond it a drill hangs; never a matter of speed.
HANG_SECONDS = 1200.0

# What two runs may differ in, and why.
OF_ONE_RUN = {
    "logs": "times",
    "benchmarks": "times and memory",
    "work": "checkpoints and spilled data of steps under way",
    ".run.lock": "names the process",
    "log.jsonl": "tokens per second and memory",
    "summary.json": "seconds and memory",
    "result.json": "seconds and memory",
    "resources.json": "times and memory",
    "provenance.json": "times and memory",
    "ro-crate-metadata.json": "times",
    "report.html": "times",
    "figures": "the one of resources shows times; all others are made from what is compared",
}


class DrillRun:
    """Snakemake's working folder with relative results, so that a copy of it is a run as well."""

    def __init__(self, folder: Path, target: str) -> None:
        self.folder = folder
        self.target = target
        self.results = folder / "results" / "mini"
        folder.mkdir(parents=True, exist_ok=True)
        for name in PROJECT:
            if not (folder / name).is_symlink():
                (folder / name).symlink_to(ROOT / name)
        self._started = 0

    def copy(self, folder: Path) -> DrillRun:
        """The same state in another folder, modification times included."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return DrillRun(folder, self.target)

    def forget(self, *names: str) -> None:
        """Delete these files and folders of the results."""
        for name in names:
            for path in self.results.glob(name):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    @contextmanager
    def started(
        self,
        *configuration: str,
        cores: int = 2,
        prefix: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> Iterator[Started]:
        """Snakemake, started as a user would; what is left of it is killed at the end."""
        self._started += 1
        output = self.folder / f"output-{self._started}.txt"
        command = [
            *prefix, sys.executable, "-m", "snakemake", "--cores", str(cores),
            "--configfile", str(CONFIG),
            *(["--config", *configuration] if configuration else []), "--", self.target,
        ]  # fmt: skip
        variables = os.environ | {"OMP_NUM_THREADS": "1"} | (environment or {})
        with open(output, "w") as stream:
            process = subprocess.Popen(
                command, cwd=self.folder, env=variables, stdout=stream, stderr=subprocess.STDOUT
            )
        try:
            yield Started(self, process, output)
        finally:
            process.kill()
            process.wait()

    def run(self, *configuration: str, **options: object) -> tuple[int, str]:
        """Snakemake to its end: exit status and what it said."""
        with self.started(*configuration, **options) as started:  # type: ignore[arg-type]
            return started.wait()

    def complete(self, *configuration: str, **options: object) -> str:
        """Snakemake to its end, which must be a good one."""
        status, text = self.run(*configuration, **options)
        assert status == 0, text[-6000:]
        return text

    def processes(self) -> dict[int, list[str]]:
        """Living processes that work in this folder: number -> command."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "cwd").readlink() == self.folder.resolve():
                    command = (entry / "cmdline").read_bytes().decode().split("\0")
                    if command != [""]:
                        found[int(entry.name)] = command
            except OSError:
                continue
        return found

    def steps(self, name: str = "") -> list[int]:
        """Processes that run a step (each rank is one), by number."""
        return sorted(
            pid
            for pid, command in self.processes().items()
            if "python" in Path(command[0]).name
            and any(word.startswith(f"workflow_scripts/{name}") for word in command[1:3])
        )

    def products(self) -> dict[str, str]:
        """Digest of every file that must be the same in every run."""
        found = {}
        for path in sorted(self.results.rglob("*")):
            names = path.relative_to(self.results).parts
            if path.is_file() and not OF_ONE_RUN.keys() & {*names}:
                found["/".join(names)] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def must_equal(self, other: DrillRun) -> None:
        """Same bytes; no orphan, no half file, no lock, nothing left to do."""
        until(lambda: not self.processes(), f"processes to end: {self.processes()}")
        assert_same(self.products(), other.products())
        halves = [
            path
            for pattern in (".*.tmp", "*.part", ".duckdb-*")
            for path in self.results.rglob(pattern)
        ]
        assert halves == []
        text = self.complete()
        assert "Nothing to be done" in text, text[-4000:]

    def clean_up(self) -> None:
        """Kill what is left and unmount what is mounted in this folder."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for place in sorted(mounts, reverse=True):
            if Path(place).is_relative_to(self.folder.resolve()):
                subprocess.run(["umount", "--lazy", place], check=True)


class Started:
    """A Snakemake under way."""

    def __init__(self, run: DrillRun, process: subprocess.Popen[bytes], output: Path) -> None:
        self.run = run
        self.process = process
        self._output = output

    def text(self) -> str:
        return self._output.read_text(errors="replace")

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def jobs(self) -> int:
        """How many jobs have started."""
        return len(re.findall(r"^(?:local)?rule \w+:$", self.text(), re.M))

    def reaches(self, event: Callable[[], object]) -> bool:
        """Wait for an event; False when Snakemake ended before it."""
        until(lambda: self.has_ended() or event(), "an event of the drill")
        return not self.has_ended()

    def wait(self) -> tuple[int, str]:
        return self.process.wait(HANG_SECONDS), self.text()


def until(event: Callable[[], object], what: str) -> None:
    """Wait for something that must happen, looking often."""
    end = time.monotonic() + HANG_SECONDS
    while not event():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


def strike(pid: int) -> bool:
    """kill -9; False when the process has just ended by itself."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def assert_same(found: dict[str, str], expected: dict[str, str]) -> None:
    """Name the files that are missing, unknown or different."""
    names = found.keys() | expected.keys()
    different = sorted(name for name in names if found.get(name) != expected.get(name))
    assert different == []


def mount(*arguments: str) -> None:
    """Mount something; skips the test where that is not allowed."""
    outcome = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        pytest.skip(f"this machine does not let the tests mount: {outcome.stderr.strip()}")
