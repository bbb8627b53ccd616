"""What the benchmarks share: measuring processes, environments for peers, tables and bars.

Every benchmark is a program ``python benchmarks/<name>.py [--quick] [--json FILE]`` that runs ours
and a named peer on the same input in the same run. Seconds differ from machine to machine and from
minute to minute, so a bar is always a ratio (or a size), never a time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "benchmarks"
# Inputs and the peers' environments; outside the repository so that `git clean` keeps them.
CACHE = Path(
    os.environ.get("MLUKE_BENCHMARK_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mluke-benchmarks"
)


@dataclass(frozen=True)
class Row:
    """One figure of a benchmark."""

    name: str
    ours: str
    """As shown, with its unit."""
    peer: str
    """As shown, with its unit; empty when the bar is not relative to a peer."""
    ratio: float | None
    """The number that the bar is about; None for a figure without a bar."""
    bar: str
    """For example ``<= 2.0`` or ``>= 4``; empty when nothing is asked."""

    @property
    def holds(self) -> bool | None:
        """Whether the bar holds; None without a bar.

        >>> Row("speed", "1 s", "5 s", 5.0, ">= 4").holds
        True
        """
        if not self.bar or self.ratio is None:
            return None
        sign, _, limit = self.bar.partition(" ")
        if sign not in ("<=", ">="):
            raise ValueError(f"a bar is '<= number' or '>= number', not {self.bar!r}")
        return self.ratio <= float(limit) if sign == "<=" else self.ratio >= float(limit)


@dataclass(frozen=True)
class Usage:
    """What a process and all processes it waited for used."""

    cpu_s: float
    wall_s: float
    peak_bytes: int
    """Largest resident size of any one of them."""


def use_one_core() -> None:
    """Keep this process and what it starts on one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def run_process(
    command: Sequence[str | Path],
    *,
    env: dict[str, str] | None = None,
    stdout: int | Path = subprocess.DEVNULL,
    cpus: int = 1,
) -> Usage:
    """Run a program on ``cpus`` cores and measure the whole of it, start-up included.

    Args:
        command: program and arguments.
        env: variables added to the environment.
        stdout: where its output goes: a file, or :data:`subprocess.DEVNULL`.
        cpus: number of cores it may use.

    Raises:
        SystemExit: the program failed; its last words are in the message.
    """
    allowed = sorted(os.sched_getaffinity(0))[:cpus]
    log = CACHE / "last-stderr.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    output = open(stdout, "wb") if isinstance(stdout, Path) else stdout  # noqa: SIM115
    started = time.perf_counter()
    with open(log, "wb") as errors:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=output,
            stderr=errors,
            env={**os.environ, **(env or {})},
            preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if not isinstance(output, int):
        output.close()
    if process.returncode:
        tail = log.read_text("utf-8", "replace")[-2000:]
        sys.exit(f"{' '.join(map(str, command))}\nended with {process.returncode}:\n{tail}")
    return Usage(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024)


def cpu_seconds() -> float:
    """CPU seconds of this process so far, all threads, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peer_python(name: str, requirements: Sequence[str], peer_path: Path | None = None) -> Path:
    """Interpreter of an environment with a peer, made once in the cache, apart from the project's.

    Args:
        name: folder of the environment.
        requirements: what pip installs, pinned.
        peer_path: an environment that has the peer already (``--peer-path``).
    """
    if peer_path is not None:
        return peer_path / "bin" / "python"
    folder = CACHE / "peers" / name
    stamp = folder / "requirements.txt"
    wanted = "\n".join(requirements)
    if not stamp.is_file() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        python = str(folder / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *requirements], check=True)
        stamp.write_text(wanted)
    return folder / "bin" / "python"


def markdown_table(rows: Sequence[Row]) -> str:
    """Rows as a Markdown table: figure, ours, peer, ratio, bar, holds."""
    lines = ["| figure | ours | peer | ratio | bar | holds |", "|---|---|---|---|---|---|"]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        bar = row.bar.replace("<=", "≤").replace(">=", "≥")
        holds = {None: "", True: "yes", False: "**no**"}[row.holds]
        lines.append(f"| {row.name} | {row.ours} | {row.peer} | {ratio} | {bar} | {holds} |")
    return "\n".join(lines) + "\n"


def machine(packages: Sequence[str]) -> str:
    """One line about the machine and the versions that a result depends on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    cores = os.cpu_count()
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{model}, {cores} cores; Python {platform.python_version()}, {versions}"


def main(
    name: str,
    description: str,
    run: Callable[[argparse.Namespace], list[Row]],
    packages: Sequence[str] = (),
    add_arguments: Callable[[argparse.ArgumentParser], None] | None = None,
) -> int:
    """Run a benchmark as a program; returns its exit status: 1 when a bar does not hold.

    A full run also writes ``docs/benchmarks/<name>.md``.

    Args:
        name: of the benchmark and of its page.
        description: first line for ``--help`` and text of the page, Markdown.
        run: does the work; its argument has ``quick``, ``peer_path``, what is added, and
            ``notes``, a list of Markdown blocks: what is appended to it stands below the table.
        packages: whose versions the page names.
        add_arguments: adds options of this benchmark.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small inputs, within a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows there")
    parser.add_argument(
        "--peer-path", type=Path, help="environment that has the peers (default: one is made)"
    )
    if add_arguments is not None:
        add_arguments(parser)
    arguments = parser.parse_args()
    arguments.notes = []
    rows = run(arguments)
    table = markdown_table(rows)
    print(table)
    if arguments.json:
        arguments.json.write_text(
            json.dumps([{**asdict(row), "holds": row.holds} for row in rows], indent=1) + "\n"
        )
    if not arguments.quick:
        RESULTS.mkdir(parents=True, exist_ok=True)
        date = time.strftime("%Y-%m-%d")
        (RESULTS / f"{name}.md").write_text(
            f"# Benchmark: {name}\n\n{description.strip()}\n\n{table}\n"
            f"Written by `python benchmarks/{name}.py` on {date}. {machine(packages)}.\n"
            + "".join(f"\n{note.strip()}\n" for note in arguments.notes),
            encoding="utf-8",
        )
    return 1 if any(row.holds is False for row in rows) else 0
