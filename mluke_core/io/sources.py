"""Read a source manifest: which local file holds which member of a data source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mluke_core.errors import DataError
from mluke_core.io.files import read_json


class Source:
    """The files of one data source, by name, as `download_source` listed them.

    Args:
        path: ``results/<scale>/sources/<source>.json``.
    """

    def __init__(self, path: str | Path) -> None:
        manifest: dict[str, Any] = read_json(path)
        if "files" not in manifest or "source" not in manifest:
            raise DataError(f"{path}: not a source manifest (no 'source' or 'files' in it).")
        self.path = Path(path)
        self.name: str = manifest["source"]
        self.files: dict[str, Path] = {
            name: Path(entry["path"]) for name, entry in manifest["files"].items()
        }

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def file(self, name: str) -> Path:
        """Local path of the file called ``name``; :class:`DataError` lists what there is."""
        if name not in self.files:
            known = ", ".join(sorted(self.files)[:12])
            raise DataError(
                f"{self.path}: source '{self.name}' has no file '{name}'. It has: {known}."
            )
        path = self.files[name]
        if not path.exists():
            raise DataError(
                f"{path}: listed in {self.path} but gone. Delete {self.path} to fetch it again."
            )
        return path
