"""What was run: short facts, inputs, versions, resources, and the entities that each test had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from mluke_core.io.files import read_json
from mluke_core.reporting.figures.style import duration, memory
from mluke_core.reporting.plan import test_columns
from mluke_core.reporting.run_folder import RunFolder
from mluke_core.reporting.text import format_number
from mluke_core.tasks.mention_sources import SOURCE_NAMES

UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
KEY_PACKAGES = ("snakemake", "torch", "transformers", "deepspeed", "numpy", "pyarrow", "duckdb")
Rows = list[dict[str, Any]]


def size(count: float) -> str:
    """Bytes for people.

    >>> size(178_734_266), size(512)
    ('178.7 MB', '512 B')
    """
    for unit, factor in UNITS:
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:g} B"


def short_facts(run: RunFolder) -> list[tuple[str, str, str]]:
    """(name, value, remark) of what a reader asks first."""
    made, used = run.provenance, _resources(run)
    commit, machine = made["commit"], made["machine"]
    changed = {True: "with uncommitted changes", False: "", None: "changes unknown"}
    energy = used.get("energy") or {}
    disk = used.get("disk") or {}
    kwh = energy.get("kwh")
    accelerators = ", ".join(machine["accelerators"]) or "no accelerator"
    return [
        ("Scale", run.scale, f"{len(run.systems)} systems, {len(run.tables)} tables"),
        (
            "Commit",
            (commit["id"] or "unknown")[:12],
            ", ".join(filter(None, [commit.get("date"), changed[commit["dirty"]]])),
        ),
        ("Configuration", made["configuration"]["digest"][:12], "digest; whole text below"),
        (
            "Machine",
            f"{machine['usable_cores']} cores, {memory(machine['memory_mb'])}",
            f"{machine['architecture']}; {accelerators}",
        ),
        ("Job time", duration(used["seconds"]), f"{used['jobs']} measured jobs"),
        (
            "CPU time",
            duration(used["cpu_seconds"]) if used["cpu_seconds"] is not None else "–",
            f"longest job {duration(used['longest_seconds'])}",
        ),
        (
            "Peak memory",
            memory(used["peak_memory_mb"]) if used["peak_memory_mb"] is not None else "–",
            "of the largest job",
        ),
        ("Disk", size(disk["bytes"]) if disk else "–", "the folder of this run"),
        (
            "Energy",
            f"{kwh:.3f} kWh" if kwh is not None else "not measured",
            energy.get("method") or energy.get("reason") or "",
        ),
    ]


def _resources(run: RunFolder) -> dict[str, Any]:
    path = run.file("reports", "resources.json")
    return dict(read_json(path) if path else run.provenance["resources"])


def resource_rows(run: RunFolder) -> Rows:
    """Time and memory by rule."""
    return list(_resources(run)["rules"])


def disk_rows(run: RunFolder) -> list[tuple[str, int, str]]:
    """(folder, bytes, bytes for people), the largest first."""
    folders = (_resources(run).get("disk") or {}).get("folders", {})
    return [(name, count, size(count)) for name, count in folders.items()]


def input_rows(run: RunFolder) -> Rows:
    """Every input file with its checksum."""
    rows = [
        {
            "source": source["source"],
            "file": name,
            "licence": source.get("licence") or "",
            "bytes": entry.get("bytes"),
            "size": size(entry["bytes"]) if "bytes" in entry else "–",
            "checksum": entry.get("sha256", ""),
            "url": entry.get("url", ""),
        }
        for source in run.provenance["inputs"]["sources"]
        for name, entry in source["files"].items()
    ]
    return rows + [
        {
            "source": f"{dump['wiki']} {dump['date']}",
            "file": name,
            "licence": "CC BY-SA",
            "bytes": entry.get("bytes"),
            "size": size(entry["bytes"]) if "bytes" in entry else "–",
            "checksum": entry.get("sha1", ""),
            "url": "",
        }
        for dump in run.provenance["inputs"]["dumps"]
        for name, entry in dump["files"].items()
    ]


def version_rows(run: RunFolder) -> list[tuple[str, str, bool]]:
    """(package, version, whether it is one of the main ones), Python first."""
    environment = run.provenance["environment"]
    packages: Mapping[str, str] = environment["packages"]
    return [
        (f"python ({environment['implementation']})", environment["python"], True),
        *((name, version, name in KEY_PACKAGES) for name, version in packages.items()),
    ]


def configuration_sections(run: RunFolder) -> list[tuple[str, str]]:
    """(key, YAML text) of the configuration's top level."""
    return [
        (key, yaml.safe_dump({key: value}, allow_unicode=True, sort_keys=False, width=96))
        for key, value in run.config.items()
    ]


def coverage_rows(run: RunFolder) -> Rows:
    """Entities that each test gave to the entity systems, a row per system and test."""
    rows: Rows = []
    for system, entry in run.systems.items():
        if entry["inputs"] != "entity":
            continue
        for test in run.tests:
            path = run.file("scores", system, f"{test}.json")
            coverage = (read_json(path).get("coverage") or {}) if path else {}
            found = {c: coverage[c] for c in test_columns(run.config, test) if c in coverage}
            if found:
                rows.append(
                    {"system": entry["label"], "test": test, "columns": _coverage_cells(found)}
                )
    return rows


def _coverage_cells(columns: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(column, share of examples with entities, entities of each, and sources of mentions)."""
    return [
        (
            column,
            f"{_percent(entry['with_entities'], entry['examples'])} · "
            f"{format_number(entry['entities_per_example'], 1)}{_sources(entry)}"
            if entry["examples"]
            else "–",
        )
        for column, entry in columns.items()
    ]


def _sources(entry: Mapping[str, Any]) -> str:
    """``· 35 % by article, 65 % by dictionary`` of the texts; empty for tests without mentions."""
    used: Mapping[str, int] = entry.get("mentions") or {}
    total = sum(used.values())
    texts = [f"{_percent(count, total)} {SOURCE_NAMES[name]}" for name, count in used.items()]
    return f" · {', '.join(texts)}" if total else ""


def _percent(part: float, whole: float) -> str:
    return f"{format_number(100 * part / whole, 0)} %"
