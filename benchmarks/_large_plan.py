"""A configuration far larger than the paper's, and a finished tree of results without content."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mluke_core.planning.jobs import Job, predecessors, topological

ROOT = Path(__file__).resolve().parent.parent
# What the workflow reads; everything else of the project stays out of a planning folder.
PARTS = ("Snakefile", "rules", "mluke_core", "workflow_scripts", "profiles", "report", "envs")
# Any time in the past: outputs lie a second apart from here on.
FIRST_TIME = 1_000_000_000
# 26 further Wikipedias, so that there are 50.
MORE_WIKIS = re.findall("..", "afazbebgbscacscydaeteufaglhehrhuhykakkltlvmkmsnorosk")


def large_overlay(seeds: int = 10, copies: int = 3, parts: int = 56) -> dict[str, Any]:
    """Settings over `paper`: 50 languages, more seeds, a wider search, every system several times.

    Args:
        seeds: of every task.
        copies: further systems of each system of the paper, as an ablation has them.
        parts: into which every language is cut.
    """
    config = yaml.safe_load((ROOT / "config.yaml").read_text("utf-8"))
    languages = {name: {"name": name, "wiki": f"{name}wiki", "parts": parts} for name in MORE_WIKIS}
    languages |= {name: {"parts": parts} for name in config["languages"]}
    systems: dict[str, Any] = {}
    for name in config["run"]["systems"]:
        for number in range(copies):
            entry = copy.deepcopy(config["systems"][name])
            systems[f"{name}-{number}"] = entry | {"label": f"{entry['label']} ({number})"}
    task = {
        "grid": {
            "learning_rate": [1.0e-5, 1.5e-5, 2.0e-5, 3.0e-5, 5.0e-5],
            "batch_size": [8, 16, 32, 64],
        },
        "seeds": list(range(1, seeds + 1)),
    }
    return {
        "scale": "paper",
        "results": "large",
        "run": {"languages": sorted(languages), "systems": list(systems)},
        "languages": languages,
        "systems": systems,
        "tasks": dict.fromkeys(config["tasks"], task),
    }


def planning_folder(folder: Path) -> Path:
    """A folder in which Snakemake plans as in the project, with results and records of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        link = folder / part
        if not link.exists():
            link.symlink_to(ROOT / part)
    # Not a link: licensed data that a user keeps beside the project must not change the plan.
    (folder / "config.yaml").write_text((ROOT / "config.yaml").read_text("utf-8"), "utf-8")
    return folder


def write_overlay(folder: Path, overlay: dict[str, Any]) -> Path:
    """The overlay as a file for ``--configfile``."""
    path = folder / "overlay.yaml"
    path.write_text(yaml.safe_dump(overlay), "utf-8")
    return path


def touch_outputs(folder: Path, jobs: Sequence[Job]) -> int:
    """Make the outputs of all jobs as empty files and folders, oldest first; how many there are.

    Outputs that Snakemake removes after use are left out, as in a finished run.
    """
    made = 0
    for position, index in enumerate(topological(predecessors(jobs))):
        job = jobs[index]
        for path in job.outputs:
            if "work" in Path(path).parts:
                continue
            target = folder / path
            # Only folders have no ending; model and language names carry no dot.
            if not target.suffix:
                target.mkdir(parents=True, exist_ok=True)
                target = target / ".snakemake_timestamp"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
            # Seconds apart: an order that coarse file systems keep, too.
            os.utime(target, (FIRST_TIME + position, FIRST_TIME + position))
            made += 1
    return made
