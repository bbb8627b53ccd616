"""How long a unit of work takes, fitted to the benchmark files of finished runs."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mluke_core.planning import sizes
from mluke_core.planning.jobs import Job

RATES = sizes.HERE / "rates.csv"
STAGE_OF = {
    "make_miniature": "download", "download_dump": "download", "download_source": "download",
    "extract": "corpus", "resolve_redirects": "corpus", "extraction_report": "corpus",
    "sitelinks": "alignment", "count_entities": "alignment", "build_vocabulary": "alignment",
    "count_mentions": "alignment", "article_mentions": "alignment",
    "build_tokenizer": "sequences", "build_sequences": "sequences",
    "shuffle_sequences": "sequences", "write_manifest": "sequences",
    "preview_sequences": "sequences",
    "initialize_model": "pretraining", "import_model": "pretraining", "pretrain": "pretraining",
    "export_model": "pretraining",
    "finetune": "fine-tuning", "select_run": "fine-tuning",
    "predict": "evaluation", "score": "evaluation", "probe_mlama": "evaluation",
    "score_mlama": "evaluation", "probe_retrieval": "evaluation",
    "probe_modularity": "evaluation",
}  # fmt: skip
STAGES = [*dict.fromkeys(STAGE_OF.values()), "reporting"]
PART = {"extract", "build_sequences"}
LANGUAGE = {
    "download_dump", "resolve_redirects", "count_entities", "count_mentions", "shuffle_sequences",
}  # fmt: skip
ALL_LANGUAGES = {"build_vocabulary", "write_manifest", "article_mentions"}
PROBES = {"probe_mlama": "mlama", "probe_retrieval": "cwr", "probe_modularity": "modularity"}
LEARNING = {"pretrain", "finetune", "predict", *PROBES}


@dataclass(frozen=True)
class Rate:
    """CPU seconds of a job: ``start_s + units * unit_s``."""

    start_s: float
    unit_s: float


def units(config: Mapping[str, Any], job: Job) -> float:
    """Work of a job: MB of compressed dump, or TFLOP where a model computes."""
    wildcards = job.wildcards
    if job.rule in LEARNING:
        return _tflop(config, job)
    if job.rule in PART | LANGUAGE:
        size = sizes.dump_size(config, wildcards["lang"])
        parts = config["languages"][wildcards["lang"]]["parts"] if job.rule in PART else 1
        return size.mb / parts if size else 0.0
    if job.rule in ALL_LANGUAGES:
        found = (sizes.dump_size(config, lang) for lang in config["run"]["languages"])
        return sum(size.mb for size in found if size)
    return 0.0


def _tflop(config: Mapping[str, Any], job: Job) -> float:
    wildcards = job.wildcards
    if job.rule == "pretrain":
        return sizes.pretraining_tflop(config, wildcards["model"], wildcards["stage"])
    if job.rule == "finetune":
        batch = int(wildcards["run"].split("-b")[1].split("-")[0])
        return sizes.finetuning_tflop(config, wildcards["system"], wildcards["task"], batch)
    test = PROBES.get(job.rule) or wildcards["test"]
    runs = 1
    for entry in config["tasks"].values():
        if test in entry["tests"]:
            runs = len(entry["seeds"])
    return sizes.prediction_tflop(config, wildcards["system"], test, runs)


def fit(points: Iterable[tuple[float, float]]) -> Rate:
    """Least squares of seconds over units, neither start nor slope below nothing.

    >>> fit([(0, 1.0), (10, 3.0)])
    Rate(start_s=1.0, unit_s=0.2)
    """
    points = list(points)
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
    start = mean_y - slope * mean_x
    if slope < 0:
        return Rate(round(mean_y, 4), 0.0)
    if start < 0:
        squares = sum(x * x for x, _ in points)
        return Rate(0.0, round(sum(x * y for x, y in points) / squares, 6))
    return Rate(round(start, 4), round(slope, 6))


def measured(
    folder: Path, config: Mapping[str, Any], jobs: Iterable[Job]
) -> dict[str, list[tuple[float, float]]]:
    """Rule -> (units, CPU seconds) of every job of a finished run that left a benchmark file.

    Args:
        folder: ``results/<scale>`` of the run.
        config: its configuration.
        jobs: all its jobs.
    """
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for job in jobs:
        path = benchmark_of(folder, job)
        if path.is_file():
            with open(path, encoding="utf-8", newline="") as stream:
                row = next(csv.DictReader(stream, delimiter="\t"))
            found[job.rule].append((units(config, job), float(row["cpu_time"])))
    return found


def benchmark_of(folder: Path, job: Job) -> Path:
    """The benchmark file of a job, by the names that the rules give."""
    name = "-".join(job.wildcards.values())
    stem = folder / "benchmarks" / job.rule
    return stem / f"{name}.tsv" if name else stem.with_suffix(".tsv")


def fit_all(runs: Iterable[Mapping[str, list[tuple[float, float]]]]) -> dict[str, Rate]:
    """Rates of every rule over several runs; each run weighs by its jobs."""
    pooled: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for run in runs:
        for rule, points in run.items():
            pooled[rule] += points
    return {rule: fit(points) for rule, points in sorted(pooled.items())}


def read(path: Path = RATES) -> dict[str, Rate]:
    """The rates that are kept with the project."""
    with open(path, encoding="utf-8", newline="") as stream:
        return {
            row["rule"]: Rate(float(row["start_s"]), float(row["unit_s"]))
            for row in csv.DictReader(stream)
        }


def write(path: Path, rates: Mapping[str, Rate]) -> None:
    """Keep rates as a table."""
    lines = [f"{rule},{rate.start_s:g},{rate.unit_s:g}" for rule, rate in rates.items()]
    path.write_text("rule,start_s,unit_s\n" + "\n".join(lines) + "\n", encoding="utf-8")


# A job without a rate of its own: a script that starts, reads and writes a little.
SMALL = Rate(1.0, 0.0)
