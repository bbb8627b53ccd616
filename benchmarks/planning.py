"""Cost of planning: dry runs of the paper and of a far larger variant, and of a finished tree."""

from __future__ import annotations

import argparse
import bz2
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import _bench
from _large_plan import large_overlay, planning_folder, touch_outputs, write_overlay

from mluke_core.planning import jobs as dry

DESCRIPTION = """\
CPU seconds and memory of Snakemake's dry run: of scale `paper`, of 50 languages with 10 seeds, a
wider search and every system three times, and of a finished `paper` tree, whose outputs are empty
files with records as `snakemake --touch` leaves them.

Seconds of a core that is shared with other work tell little. So the bars, which are in seconds, are
for a core on which bzip2 unpacks 42 MB of a dump's XML per second; how fast it unpacks one here is
measured before and after each run (on the excerpts in `../shared/mirror` or `MLUKE_MIRROR`; without
them seconds count as they are). The last row is the cost of a job in the large plan against that
of one in `paper`: planning that grew faster than linearly would raise it.
"""
# MB/s of a dump's XML that one core of the reference machine unpacks.
REFERENCE_MB_S = 42.0
MIRROR = Path(os.environ.get("MLUKE_MIRROR") or _bench.ROOT.parent / "shared" / "mirror")


def speed_of_core() -> float:
    """MB/s of XML that bzip2 unpacks here and now; that of the reference without an excerpt."""
    dumps = MIRROR / "dumps.wikimedia.org" / "enwiki"
    packed = max(dumps.glob("*/*articles*.bz2"), key=lambda path: path.stat().st_size, default=None)
    if packed is None:
        return REFERENCE_MB_S
    before = _bench.cpu_seconds()
    size = len(bz2.decompress(packed.read_bytes()))
    return size / 1e6 / (_bench.cpu_seconds() - before)


def measured(command: list[str | Path], output: Path) -> tuple[_bench.Usage, float]:
    """Usage of a command whose words go to a file, and its CPU seconds on the reference core."""
    before = speed_of_core()
    usage = _bench.run_process(command, stdout=output)
    speed = (before + speed_of_core()) / 2
    return usage, usage.cpu_s * min(speed / REFERENCE_MB_S, 1.0)


def run(arguments: argparse.Namespace) -> list[_bench.Row]:
    folder = Path(tempfile.mkdtemp(prefix="plan-", dir=_make(_bench.CACHE)))
    try:
        return list(_rows(planning_folder(folder), arguments.quick))
    finally:
        shutil.rmtree(folder)


def _make(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _rows(folder: Path, quick: bool) -> list[_bench.Row]:
    snakemake: list[str | Path] = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock"]
    snakemake += ["--directory", folder, "--snakefile", folder / "Snakefile"]
    paper: list[str | Path] = [*snakemake, "--dry-run", "--config", "scale=paper"]
    output = folder / "plan.txt"
    usage, seconds = measured(paper, output)
    found = jobs_of(output)
    rows = [row(f"dry run of paper, {len(found):,} jobs", usage, seconds, 5)]
    per_job = seconds / len(found)

    touch_outputs(folder, found)
    touched = [*snakemake, "--touch", "--config", "scale=paper"]
    subprocess.run(touched, check=True, capture_output=True)
    usage, seconds = measured(paper, output)
    if jobs_of(output):
        sys.exit("the finished tree is not finished")
    rows.append(row("a finished paper tree: nothing to be done", usage, seconds, 15))

    if not quick:
        overlay = write_overlay(folder, large_overlay())
        large: list[str | Path] = [*snakemake, "--dry-run", "--configfile", overlay]
        usage, seconds = measured(large, output)
        count = len(jobs_of(output))
        rows.append(row(f"50 languages, 10 seeds: {count:,} jobs", usage, seconds, 30))
        memory = usage.peak_bytes / 1e9
        rows.append(_bench.Row("the same: memory", f"{memory:.2f} GB", "", memory, "<= 1"))
        ours, peer = f"{1e3 * seconds / count:.2f} ms", f"{1e3 * per_job:.2f} ms"
        ratio = seconds / count / per_job
        name = "cost of one of its jobs to one of the paper's"
        rows.append(_bench.Row(name, ours, peer, ratio, "<= 1.25"))
    return rows


def jobs_of(output: Path) -> list[dry.Job]:
    """The jobs of a dry run whose words were kept."""
    return dry.parse(output.read_text("utf-8"))


def row(name: str, usage: _bench.Usage, seconds: float, bar: int) -> _bench.Row:
    """One figure: CPU seconds here, and on the reference core."""
    return _bench.Row(name, f"{usage.cpu_s:.1f} s here", "", round(seconds, 2), f"<= {bar}")


if __name__ == "__main__":
    sys.exit(_bench.main("planning", DESCRIPTION, run, ["snakemake"]))
