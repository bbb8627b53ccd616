"""Write the files of the data sets: text in a given encoding, JSON as its source spells it, zip."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mluke_core.io.files import atomic_path

# A fixed date keeps the archive's bytes equal from run to run.
ARCHIVE_DATE = (2020, 12, 1, 0, 0, 0)


def place(mirror: Path, url: str) -> Path:
    """Where the mirror keeps ``url``: ``<mirror>/<host>/<path>``."""
    return mirror / url.removeprefix("https://")


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def json_bytes(value: Any, indent: int | None = None, sort_keys: bool = False) -> bytes:
    """ASCII JSON with ``\\u`` escapes, as all of these data sets spell it."""
    return json.dumps(value, ensure_ascii=True, indent=indent, sort_keys=sort_keys).encode("ascii")


def json_lines(values: list[dict[str, Any]]) -> bytes:
    """One JSON object per line."""
    return b"".join(json_bytes(value) + b"\n" for value in values)


def write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    """Write an archive of ``members`` (name to content) in the order given, deflated."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=ARCHIVE_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
