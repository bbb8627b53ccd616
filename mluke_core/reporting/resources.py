"""Time and memory of a run, from the benchmark files that Snakemake writes.

A benchmark file is ``benchmarks/{rule}.tsv`` or ``benchmarks/{rule}/{job}.tsv``: a header and one
line per repetition. Jobs shorter than the sampling interval have ``NA`` or ``-`` for what was not
measured.
"""

from __future__ import annotations

import csv
import logging
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mluke_core.errors import DataError

log = logging.getLogger("mluke")

SECONDS, MEMORY, CPU = "s", "max_rss", "cpu_time"
STAGES = [
    "make_miniature",
    "download_dump",
    "download_source",
    "extract",
    "resolve_redirects",
    "sitelinks",
    "count_entities",
    "build_vocabulary",
    "count_mentions",
    "article_mentions",
    "build_tokenizer",
    "build_sequences",
    "write_manifest",
    "initialize_model",
    "import_model",
    "pretrain",
    "export_model",
    "finetune",
    "select_run",
    "predict",
    "score",
    "probe_mlama",
    "score_mlama",
    "probe_retrieval",
    "probe_modularity",
]
"""Rules in the order of the work; others come last, by name."""


@dataclass(frozen=True)
class JobResources:
    """What one job took; None where it was too short to be measured."""

    rule: str
    job: str
    seconds: float
    peak_memory_mb: float | None
    cpu_seconds: float | None


def read_benchmark(path: str | Path, rule: str) -> JobResources:
    """Read one benchmark file: times are summed over repetitions, memory is the largest.

    Raises:
        DataError: it has no line of figures, or no column of seconds.
    """
    path = Path(path)
    with path.open(encoding="utf-8", newline="") as stream:
        records: list[dict[str, str]] = list(csv.DictReader(stream, delimiter="\t"))
    seconds = [value for record in records if (value := _number(record.get(SECONDS))) is not None]
    if not seconds:
        raise DataError(
            f"{path}: not a benchmark file (no figure in a column '{SECONDS}'). Delete it; the "
            "report does without."
        )
    memory = [value for record in records if (value := _number(record.get(MEMORY))) is not None]
    cpu = [value for record in records if (value := _number(record.get(CPU))) is not None]
    return JobResources(
        rule, path.stem, sum(seconds), max(memory, default=None), sum(cpu) if cpu else None
    )


def read_benchmarks(folder: str | Path) -> list[JobResources]:
    """All jobs under a folder of benchmark files, in the order of the work.

    A damaged file (of a job that was killed, say) is left out with a warning: it must not keep a
    finished run from its report.
    """
    folder = Path(folder)
    jobs = []
    for path in sorted(folder.rglob("*.tsv")):
        parts = path.relative_to(folder).parts
        try:
            jobs.append(read_benchmark(path, parts[0] if len(parts) > 1 else path.stem))
        except DataError as error:
            log.warning("%s", error)
    known = {rule: number for number, rule in enumerate(STAGES)}
    return sorted(jobs, key=lambda job: (known.get(job.rule, len(known)), job.rule, job.job))


def summarise(jobs: Sequence[JobResources]) -> dict[str, Any]:
    """Totals and one entry per rule: jobs, seconds, CPU seconds, longest job, peak memory in MB.

    >>> summary = summarise([JobResources("extract", "en-000", 4.0, 210.0, 3.0)])
    >>> summary["rules"][0]["seconds"], summary["peak_memory_mb"]
    (4.0, 210.0)
    """
    by_rule: dict[str, list[JobResources]] = {}
    for job in jobs:
        by_rule.setdefault(job.rule, []).append(job)
    return {
        **_totals(jobs),
        "rules": [{"rule": rule, **_totals(members)} for rule, members in by_rule.items()],
    }


def per_job(jobs: Sequence[JobResources]) -> list[dict[str, Any]]:
    """One entry per job: rule, job, seconds, CPU seconds and peak memory in MB."""
    return [
        {
            "rule": job.rule,
            "job": job.job,
            "seconds": round(job.seconds, 2),
            "cpu_seconds": None if job.cpu_seconds is None else round(job.cpu_seconds, 2),
            "peak_memory_mb": job.peak_memory_mb,
        }
        for job in jobs
    ]


def disk_use(folder: str | Path) -> dict[str, Any]:
    """Bytes of every entry of a run's folder, the largest first, and their sum.

    Hard links count each time; symbolic links and what vanishes while it is counted do not.
    """
    sizes: dict[str, int] = {}
    for entry in Path(folder).iterdir():
        members = entry.rglob("*") if entry.is_dir() and not entry.is_symlink() else [entry]
        sizes[entry.name] = sum(_file_size(member) for member in members)
    ordered = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    return {"bytes": sum(sizes.values()), "folders": dict(ordered)}


def _file_size(path: Path) -> int:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _totals(jobs: Sequence[JobResources]) -> dict[str, Any]:
    memory = [job.peak_memory_mb for job in jobs if job.peak_memory_mb is not None]
    cpu = [job.cpu_seconds for job in jobs if job.cpu_seconds is not None]
    return {
        "jobs": len(jobs),
        "seconds": round(sum(job.seconds for job in jobs), 2),
        "cpu_seconds": round(sum(cpu), 2) if cpu else None,
        "longest_seconds": round(max((job.seconds for job in jobs), default=0.0), 2),
        "peak_memory_mb": max(memory, default=None),
    }


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
