"""The plan in words: a Markdown table, and warnings."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from mluke_core.planning.estimate import UTILISATION, Plan


def markdown(config: Mapping[str, Any], plan: Plan, speeds: Mapping[str, float]) -> str:
    """Per stage and in all: jobs, core-hours, GPU-hours by type; then disk, download, chain."""
    names = list(speeds) if plan.tflop else []
    head = ["stage", "jobs", "CPU core-hours", *(f"{name} hours" for name in names)]
    rows = [
        [name, str(stage.jobs), hours(stage.core_hours)]
        + [hours(stage.tflop / speeds[gpu] / 3600) for gpu in names]
        for name, stage in plan.stages.items()
        if stage.jobs
    ]
    total = sum(stage.core_hours for stage in plan.stages.values())
    jobs = sum(stage.jobs for stage in plan.stages.values())
    rows.append(
        ["**in all**", str(jobs), hours(total)]
        + [hours(plan.tflop / speeds[gpu] / 3600) for gpu in names]
    )
    lines = [f"# Plan of scale {config['scale']}", "", *_table(head, rows), ""]
    disk = [[kind, size(mb)] for kind, mb in plan.disk_mb.items() if mb]
    disk.append(["**peak, all of it at once**", size(plan.peak_mb)])
    disk.append(["kept at the end", size(plan.kept_mb)])
    lines += [*_table(["disk", "at most"], disk), ""]
    lines.append(
        f"Download: {size(plan.download_mb)}. Largest job: {size(plan.memory_mb)} of memory."
    )
    if plan.dumps_mb:
        corpus = sum(plan.disk_mb[kind] for kind in ("pages and tables", "sequences"))
        ratio = (plan.dumps_mb + corpus) / plan.dumps_mb
        lines.append(
            f"Dumps: {size(plan.dumps_mb)}; with what is made of them before models, {ratio:.2f} "
            "times as much."
        )
    chain = {name: value for name, value in plan.critical.items() if not names or name in names}
    lines.append(
        "Critical path: " + ", ".join(f"{hours(h)} h ({name})" for name, h in chain.items()) + "."
    )
    if names:
        lines.append(
            f"GPU-hours take {UTILISATION:.0%} of each type's peak, an assumption; give what yours "
            "sustains with --gpu-tflops."
        )
    lines += [f"Left out: {text}." for text in plan.unknown]
    return "\n".join(lines) + "\n"


def warnings(config: Mapping[str, Any], plan: Plan, local: bool) -> list[str]:
    """What will not suffice: disk of the results folder, and memory where jobs run here."""
    folder = Path(config["results"]).absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 1e6
    found = []
    if plan.peak_mb > free:
        found.append(
            f"disk: up to {size(plan.peak_mb)} are needed under {folder}, {size(free)} are free. "
            "Choose another folder with --config results=FOLDER."
        )
    memory = psutil.virtual_memory().total / 1e6
    if local and plan.memory_mb > memory:
        found.append(
            f"memory: a job may take {size(plan.memory_mb)}, this machine has {size(memory)}. "
            "Run on a larger one, or plan with --profile profiles/slurm."
        )
    return found


def hours(value: float) -> str:
    """Hours with as many digits as they deserve.

    >>> hours(0.0123), hours(3.21), hours(12345.6)
    ('0.01', '3.2', '12,346')
    """
    return f"{value:,.2f}" if value < 1 else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def size(megabytes: float) -> str:
    """A size in MB, GB or TB.

    >>> size(12), size(64_000), size(2_500_000)
    ('12 MB', '64 GB', '2.5 TB')
    """
    for unit, limit in (("MB", 1e3), ("GB", 1e6)):
        if megabytes < limit:
            value = megabytes / (limit / 1e3)
            return f"{value:.3g} {unit}"
    return f"{megabytes / 1e6:.3g} TB"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]
