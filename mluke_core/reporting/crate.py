"""The run as a Research Object Crate: ``ro-crate-metadata.json`` in ``results/<scale>``.

RO-Crate 1.1 with the profile of Process Run Crate: one action, made by this project at a commit,
from inputs with checksums, with the tables, figures and ``provenance.json`` as its results. Nothing
is copied; every file of the crate is where it lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mluke_core.reporting.tables import watermark

CRATE_FILE = "ro-crate-metadata.json"
VERSION = "1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
REPOSITORY = "#mluke-dag"
SOFTWARE = ("python", "snakemake", "torch", "transformers", "deepspeed", "numpy", "pyarrow")
"""What the crate names; ``provenance.json`` has every package."""
MEDIA = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".svg": "image/svg+xml",
    ".tex": "application/x-tex",
}


def crate_metadata(
    provenance: Mapping[str, Any], folder: Path, results: Sequence[Path], titles: Mapping[str, str]
) -> dict[str, Any]:
    """The content of ``ro-crate-metadata.json``.

    Args:
        provenance: content of ``provenance.json``.
        folder: ``results/<scale>``, the root of the crate.
        results: files under ``folder`` that the run made.
        titles: name of a table → its title.
    """
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version=VERSION)
    scale = provenance["scale"]
    root = crate.root_dataset
    root["name"] = f"mLUKE from Wikipedia dumps to every table, scale {scale}"
    root["description"] = watermark(scale) or "Tables, figures and scores of one run."
    root["datePublished"] = provenance["commit"].get("date") or "1970-01-01"
    root["license"] = "Files made by this run; each input has the licence named with it."
    root["conformsTo"] = crate.add(
        ContextEntity(crate, PROFILE, {"@type": "CreativeWork", "name": "Process Run Crate"})
    )

    def add(identifier: str, kind: str, **properties: Any) -> Any:
        return crate.add(ContextEntity(crate, identifier, {"@type": kind, **properties}))

    versions = {
        "python": provenance["environment"]["python"],
        **provenance["environment"]["packages"],
    }
    software = [
        add(f"#{name}", "SoftwareApplication", name=name, softwareVersion=versions[name])
        for name in SOFTWARE
        if name in versions
    ]
    project = add(
        REPOSITORY,
        "SoftwareApplication",
        name="mluke-dag",
        softwareVersion=provenance["commit"]["id"] or "unknown",
        softwareRequirements=software,
    )
    inputs = [
        _add_input(crate, source["source"], name, source.get("licence"), entry)
        for source in provenance["inputs"]["sources"]
        for name, entry in source["files"].items()
    ] + [
        _add_input(crate, dump["wiki"] or dump["language"], name, None, entry)
        for dump in provenance["inputs"]["dumps"]
        for name, entry in dump["files"].items()
    ]
    made = []
    for path in sorted(results):
        name = path.relative_to(folder).as_posix()
        properties = {
            "name": titles.get(path.stem, name) if name.startswith("tables/") else name,
            "contentSize": str(path.stat().st_size),
        }
        if path.suffix in MEDIA:
            properties["encodingFormat"] = MEDIA[path.suffix]
        made.append(crate.add_file(path, dest_path=name, properties=properties))
    crate.add_action(
        project,
        identifier="#run",
        object=inputs,
        result=made,
        properties={
            "name": f"snakemake --config scale={scale}",
            "description": (
                f"{provenance['resources']['jobs']} jobs, "
                f"{provenance['resources']['seconds']:.0f} s of job time; configuration "
                f"{provenance['configuration']['digest']}; details in provenance.json"
            ),
        },
    )
    metadata: dict[str, Any] = crate.metadata.generate()
    return metadata


def _add_input(
    crate: Any, source: str, name: str, licence: str | None, entry: Mapping[str, Any]
) -> Any:
    """One input file; without a public address it stands by name and checksum."""
    from rocrate.model.contextentity import ContextEntity

    known = {"url": entry.get("url"), "sha256": entry.get("sha256"), "sha1": entry.get("sha1")}
    properties = {
        "name": f"{source}: {name}",
        "contentSize": str(entry["bytes"]) if "bytes" in entry else None,
        "license": licence,
        **known,
    }
    kept = {key: value for key, value in properties.items() if value is not None}
    # Members of one archive share its address, so a fragment tells them apart.
    identifier = f"#{quote(source)}/{quote(name)}"
    return crate.add(ContextEntity(crate, identifier, {"@type": "CreativeWork", **kept}))
