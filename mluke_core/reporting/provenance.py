"""What a run was made from: code, configuration, environment, machine, inputs, resources.

All of it is a function of the run and the machine; nothing is stamped with the time of writing.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mluke_core
from mluke_core.io.files import digest_of, read_json
from mluke_core.reporting.resources import JobResources, per_job, summarise
from mluke_core.reporting.scores import require_keys
from mluke_core.versions import STAGE_VERSIONS

PROJECT_FOLDER = Path(mluke_core.__file__).resolve().parent.parent
COMMAND_SECONDS = 60
"""A git or nvidia-smi that takes longer than this is taken for broken."""


def provenance(
    config: Mapping[str, Any],
    sources: Sequence[Path],
    dumps: Sequence[Path],
    jobs: Sequence[JobResources],
) -> dict[str, Any]:
    """Everything that is known about a run, as JSON-like values.

    Args:
        config: the whole configuration of the run, overlays applied.
        sources: source manifests, ``results/<scale>/sources/*.json``.
        dumps: dump manifests, ``results/<scale>/dumps/*.json``.
        jobs: what the benchmark files say.

    Raises:
        DataError: a manifest is damaged.
    """
    return {
        "commit": git_state(PROJECT_FOLDER),
        "scale": config.get("scale"),
        "configuration": {"digest": digest_of(config), "values": dict(config)},
        "stage_versions": STAGE_VERSIONS,
        "seeds": seeds(config),
        "environment": environment(),
        "machine": machine(),
        "inputs": {
            "sources": [source_inputs(path) for path in sorted(sources)],
            "dumps": [dump_inputs(path) for path in sorted(dumps)],
        },
        "resources": {**summarise(jobs), "per_job": per_job(jobs)},
    }


def git_state(folder: Path) -> dict[str, Any]:
    """Commit, its date, whether tracked files differ from it; nulls and a reason without git."""
    commit = _output("git", "-C", str(folder), "rev-parse", "HEAD")
    if commit is None:
        note = "not a git checkout, or git is not installed"
        return {"id": None, "date": None, "dirty": None, "note": note}
    changes = _output(
        "git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no", "--", "."
    )
    date = _output("git", "-C", str(folder), "show", "--no-patch", "--format=%cs", "HEAD")
    return {
        "id": commit.strip(),
        "date": date.strip() if date else None,
        "dirty": None if changes is None else bool(changes.strip()),
    }


def seeds(config: Mapping[str, Any]) -> dict[str, Any]:
    """The seed of the data and of pretraining, and those of each task's runs."""
    return {
        "pretraining": config.get("seed"),
        **{task: entry.get("seeds") for task, entry in config.get("tasks", {}).items()},
    }


def environment() -> dict[str, Any]:
    """Python and the version of every installed package, by name."""
    packages = {
        distribution.metadata["Name"].lower().replace("_", "-"): distribution.version
        for distribution in importlib.metadata.distributions()
        if distribution.metadata["Name"]
    }
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "packages": dict(sorted(packages.items())),
    }


def machine() -> dict[str, Any]:
    """Cores, memory and accelerators of the machine that wrote the provenance."""
    accelerators = _output("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")
    return {
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "accelerators": accelerators.strip().splitlines() if accelerators else [],
    }


def source_inputs(path: Path) -> dict[str, Any]:
    """Name, version, licence and checksums of a data source; local paths are left out."""
    manifest = read_json(path)
    require_keys(path, manifest, ["source", "files"], "a source manifest")
    return {
        "source": manifest["source"],
        "version": manifest.get("version"),
        "licence": manifest.get("licence"),
        "files": {
            name: {key: entry[key] for key in ("url", "bytes", "sha256") if key in entry}
            for name, entry in sorted(manifest["files"].items())
        },
    }


def dump_inputs(path: Path) -> dict[str, Any]:
    """Wiki, date and checksums of a dump; local paths are left out."""
    manifest = read_json(path)
    require_keys(path, manifest, ["language", "files"], "a dump manifest")
    return {
        "language": manifest["language"],
        "wiki": manifest.get("wiki"),
        "date": manifest.get("date"),
        "files": {
            Path(entry["path"]).name: {key: entry[key] for key in ("bytes", "sha1") if key in entry}
            for entry in manifest["files"]
        },
    }


def _output(*command: str) -> str | None:
    """Standard output of a command; None when it is not there or fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=COMMAND_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
