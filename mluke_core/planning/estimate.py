"""Core-hours, GPU-hours, disk, download and critical path of a list of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mluke_core.planning import sizes
from mluke_core.planning.jobs import Job, predecessors, topological
from mluke_core.planning.rates import (
    LANGUAGE,
    LEARNING,
    PART,
    SMALL,
    STAGE_OF,
    STAGES,
    Rate,
    units,
)

UTILISATION = 0.35
"""Share of a GPU's peak that training reaches; assumed, since no GPU was measured."""
# Ratios to the compressed dump, measured on the excerpts of scale sample (docs/cluster.md).
PAGES_PER_DUMP = 1.12
SEQUENCES_PER_DUMP = 0.13
SMALL_TABLES_PER_DUMP = 0.05
# Excerpts hold articles alone; a whole dump has templates, categories and project pages too, which
# leave nothing. Text per byte of dump: 0.984 in the whole English dump of March 2022
# (20,275,516,160 of 20,598,313,936 bytes by the `dataset_infos.json` of Hugging Face's
# `wikipedia`), 1.61 in the English excerpt. No other language has both figures.
TEXT_OF_WHOLE_DUMPS = 0.984 / 1.61
# Adam's two moments and the full-precision copy, beside the weights.
CHECKPOINT_FACTOR = 4
# Weights of a fine-tuned model keep the word vectors of the task alone: 24,000 at scale sample.
FINETUNED_WORDS = 30_000
SOURCES_MB = 140
"""Data sets and tokenizers of scale sample, whose test data are whole."""


@dataclass
class Stage:
    """Totals of one stage."""

    jobs: int = 0
    core_hours: float = 0.0
    tflop: float = 0.0
    """Work of models that belongs on a GPU."""


@dataclass
class Plan:
    """What a run costs."""

    stages: dict[str, Stage]
    disk_mb: dict[str, float]
    """Kind of file -> MB at its largest."""
    kept_mb: float
    download_mb: float
    dumps_mb: float
    critical: dict[str, float]
    """GPU type, or `CPU only` -> hours along the longest chain of jobs."""
    memory_mb: float
    """Memory that the largest single job needs."""
    unknown: list[str] = field(default_factory=list)
    """What the estimate leaves out, in words."""

    @property
    def peak_mb(self) -> float:
        """Disk when everything that can lie there at once does."""
        return sum(self.disk_mb.values())

    @property
    def tflop(self) -> float:
        """Work for GPUs over all stages."""
        return sum(stage.tflop for stage in self.stages.values())


def gpu_speeds(own: Mapping[str, float] | None = None) -> dict[str, float]:
    """GPU type -> sustained TFLOP/s; `own` adds measured ones."""
    known = {row["gpu"]: UTILISATION * float(row["peak_tflops"]) for row in sizes.table("gpus")}
    return known | dict(own or {})


def on_gpu(config: Mapping[str, Any], job: Job) -> bool:
    """Whether a job belongs on a GPU: a model computes that is not a small one."""
    if job.rule not in LEARNING:
        return False
    name = job.wildcards.get("model") or config["systems"][job.wildcards["system"]]["model"]
    return not sizes.shape(config, name).small


def estimate(
    config: Mapping[str, Any],
    jobs: Sequence[Job],
    rates: Mapping[str, Rate],
    speeds: Mapping[str, float],
) -> Plan:
    """Work out the plan of these jobs."""
    stages = {name: Stage() for name in STAGES}
    seconds: list[float] = []
    gpu_work: list[float] = []
    for job in jobs:
        stage = stages[STAGE_OF.get(job.rule, "reporting")]
        rate = rates.get(job.rule, SMALL)
        work = units(config, job)
        gpu = on_gpu(config, job)
        cpu = rate.start_s + (0.0 if gpu else rate.unit_s * work)
        stage.jobs += 1
        stage.core_hours += cpu / 3600
        stage.tflop += work if gpu else 0.0
        seconds.append(cpu / max(job.threads, 1))
        gpu_work.append(work / _processes(config, job) if gpu else 0.0)
    before = predecessors(jobs)
    order = topological(before)
    disk, kept = _disk(config, jobs)
    found = {lang: sizes.dump_size(config, lang) for lang in _languages(jobs)}
    dumps = sum(size.mb for size in found.values() if size)
    return Plan(
        stages=stages,
        disk_mb=disk,
        kept_mb=kept,
        download_mb=_download(config, jobs, dumps),
        dumps_mb=dumps,
        critical={
            name: _longest(before, order, seconds, gpu_work, speed) / 3600
            for name, speed in ({"CPU only": float("inf")} | dict(speeds)).items()
        },
        memory_mb=max((memory_mb(config, job) for job in jobs), default=0),
        unknown=[
            f"the dump of {lang} ({config['languages'][lang]['wiki']}), whose size is unknown"
            for lang, size in found.items()
            if size is None
        ]
        + [
            f"how {rule} grows with the dumps, which the measured runs were too small to show"
            for rule in sorted({job.rule for job in jobs} & (PART | LANGUAGE - {"download_dump"}))
            if not rates.get(rule, SMALL).unit_s
        ],
    )


# A process with its libraries, and what a job of text keeps per MB of compressed dump; both above
# every figure measured at scales mini and sample.
PROCESS_MB = 1500
MEMORY_PER_DUMP = 20


def memory_mb(config: Mapping[str, Any], job: Job) -> float:
    """Memory that a job needs: never more than it asks for, less where there is little to do."""
    work = units(config, job)
    if job.rule in LEARNING:
        name = job.wildcards.get("model") or config["systems"][job.wildcards["system"]]["model"]
        trains = job.rule in ("pretrain", "finetune")
        factor = CHECKPOINT_FACTOR if trains else 1
        needed = factor * sizes.shape(config, name).megabytes
    else:
        needed = MEMORY_PER_DUMP * work
    return min(job.memory_mb, PROCESS_MB + needed)


def _processes(config: Mapping[str, Any], job: Job) -> int:
    if job.rule == "pretrain":
        return config["pretraining"]["nodes"] * config["pretraining"]["processes_per_node"]
    if job.rule == "finetune":
        return config["finetuning"]["nodes"] * config["finetuning"]["processes_per_node"]
    return 1


def _longest(
    before: Sequence[Sequence[int]],
    order: Sequence[int],
    seconds: Sequence[float],
    gpu_work: Sequence[float],
    speed: float,
) -> float:
    """Seconds along the longest chain, with a core or GPU free for every job."""
    finished = [0.0] * len(seconds)
    for index in order:
        start = max((finished[other] for other in before[index]), default=0.0)
        finished[index] = start + seconds[index] + gpu_work[index] / speed
    return max(finished, default=0.0)


def _languages(jobs: Sequence[Job]) -> list[str]:
    return sorted({job.wildcards["lang"] for job in jobs if "lang" in job.wildcards})


def _download(config: Mapping[str, Any], jobs: Sequence[Job], dumps: float) -> float:
    """MB from servers: nothing when a mirror folder or the miniature is read."""
    if config["mirror"] and "://" not in config["mirror"]:
        return 0.0
    fetched = dumps if any(job.rule == "download_dump" for job in jobs) else 0.0
    fetched += sum(_source_mb(config, job, dumps) for job in jobs if job.rule == "download_source")
    return fetched


def _source_mb(config: Mapping[str, Any], job: Job, dumps: float) -> float:
    name = job.wildcards["source"]
    if name == "wikidata_sql":
        return dumps * sizes.SITELINKS_PER_DUMP
    for model, entry in config["models"].items():
        if entry.get("source") == name and entry["pretrained"] == "hub":
            return sizes.shape(config, model).megabytes
    # The other data sets and tokenizers, which are small, share what they take together.
    return SOURCES_MB / 14


def _finetuned_mb(config: Mapping[str, Any], system: str) -> float:
    built = sizes.shape(config, config["systems"][system]["model"])
    weights = built.body + min(built.words, FINETUNED_WORDS) * built.hidden
    return weights * sizes.BYTES_PER_WEIGHT / sizes.MEGA


def _disk(config: Mapping[str, Any], jobs: Sequence[Job]) -> tuple[dict[str, float], float]:
    """MB of each kind of file at its largest, and MB that stay."""
    disk = dict.fromkeys(
        ("downloads", "pages and tables", "sequences", "pretraining", "models", "fine-tuned"), 0.0
    )
    kept = 0.0
    seeds: dict[tuple[str, str], int] = {}
    found = (sizes.dump_size(config, lang) for lang in _languages(jobs))
    dumps = sum(dump.mb for dump in found if dump)
    for job in jobs:
        wildcards = job.wildcards
        if job.rule == "download_source":
            disk["downloads"] += _source_mb(config, job, dumps)
        elif job.rule in ("import_model", "initialize_model", "export_model"):
            disk["models"] += sizes.shape(config, wildcards["model"]).megabytes
        elif job.rule == "pretrain":
            size = sizes.shape(config, wildcards["model"]).megabytes
            checkpoints = config["pretraining"]["keep_checkpoints"] * CHECKPOINT_FACTOR
            disk["pretraining"] += size * (1 + checkpoints)
            kept -= size * checkpoints
        elif job.rule == "finetune":
            size = _finetuned_mb(config, wildcards["system"])
            disk["fine-tuned"] += size
            key = (wildcards["system"], wildcards["task"])
            seeds[key] = seeds.get(key, 0) + 1
            if seeds[key] > len(config["tasks"][wildcards["task"]]["seeds"]):
                kept -= size  # the grid points that lose the search
    rules = {job.rule for job in jobs}
    if "download_dump" in rules:
        disk["downloads"] += dumps
    text = dumps * (TEXT_OF_WHOLE_DUMPS if sizes.place(config) == sizes.PUBLIC else 1)
    if "extract" in rules:
        disk["pages and tables"] = text * (PAGES_PER_DUMP + SMALL_TABLES_PER_DUMP)
    if "build_sequences" in rules:
        # Parts in page order and shards in random order, until the shards are complete.
        disk["sequences"] = 2 * text * SEQUENCES_PER_DUMP
        kept -= text * SEQUENCES_PER_DUMP
    return disk, kept + sum(disk.values())
