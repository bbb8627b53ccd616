"""Fetch a data source and list its files: `download_source`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mluke_core.errors import DataError, DownloadError
from mluke_core.io.archives import unpack_zip
from mluke_core.io.download import Downloader, Expected
from mluke_core.io.files import file_digest
from mluke_core.io.progress import Progress


def fetch_source(settings: dict[str, Any], downloads: Path) -> dict[str, Any]:
    """Fetch every file of a source (or list the user's own) and return its manifest.

    Args:
        settings: ``name``, ``version``, ``licence`` and either ``files`` (``[{"urls" or "url",
            "name", "sha256"?}]``), ``unpack``, ``mirror`` and ``contact``, or ``local`` (a folder)
            and ``files`` (``[{"name"}]``).
        downloads: folder for ``<host>/<path>``; an archive is unpacked beside itself into
            ``<path>.d``.

    Returns:
        ``{"source", "version", "licence", "files": {name: {"path", "bytes", "sha256", "url"}}}``.

    Raises:
        DownloadError: a file cannot be had.
        DataError: an archive cannot be unpacked, or local files are missing.
    """
    if settings.get("local"):
        files = _local_files(settings["name"], Path(settings["local"]), settings["files"])
    else:
        files = _remote_files(settings, downloads)
    return {
        "source": settings["name"],
        "version": settings.get("version", ""),
        "licence": settings.get("licence", ""),
        "files": dict(sorted(files.items())),
    }


def _remote_files(settings: dict[str, Any], downloads: Path) -> dict[str, dict[str, Any]]:
    name = settings["name"]
    if not settings.get("files"):
        raise DownloadError(
            f"source '{name}' has no addresses (licence: {settings.get('licence', '')}). Set "
            f"sources.{name}.local to a folder with your copy."
        )
    downloader = Downloader(downloads, settings.get("mirror"), settings.get("contact"))
    files: dict[str, dict[str, Any]] = {}
    with Progress(f"source {name}", total=len(settings["files"]), unit="file") as progress:
        for entry in settings["files"]:
            urls = entry.get("urls") or [entry["url"]]
            expected = Expected(
                sha256=entry.get("sha256"),
                promised_by=f"sources.{name}.sha256 of the configuration",
            )
            fetched = downloader.fetch(urls, expected)
            if settings.get("unpack"):
                folder = fetched.path.with_name(fetched.path.name + ".d")
                for member, path in unpack_zip(fetched.path, folder).items():
                    _add(files, name, member, _entry(path, fetched.url))
            else:
                described = {
                    "path": str(fetched.path),
                    "bytes": fetched.size,
                    "sha256": fetched.sha256,
                    "url": fetched.url,
                }
                _add(files, name, entry["name"], described)
            progress.update()
    return files


def _add(
    files: dict[str, dict[str, Any]], source: str, name: str, described: dict[str, Any]
) -> None:
    if name in files:
        raise DataError(
            f"source '{source}': two of its files are called '{name}' ({files[name]['url']} and "
            f"{described['url']}). Names must differ."
        )
    files[name] = described


def _local_files(
    source: str, folder: Path, wanted: list[dict[str, Any] | str]
) -> dict[str, dict[str, Any]]:
    key = f"sources.{source}.local"
    names = [entry if isinstance(entry, str) else entry["name"] for entry in wanted]
    if not folder.is_dir():
        raise DataError(
            f"{key}: there is no folder '{folder}'. Set it to the folder with your copy of "
            f"{', '.join(names)}."
        )
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        there = sorted(path.name for path in folder.iterdir())[:12]
        raise DataError(
            f"{key}: the folder '{folder}' lacks {', '.join(missing)}. It has: "
            f"{', '.join(there) or 'nothing'}. Rename or copy your files there."
        )
    return {name: _entry((folder / name).absolute(), "") for name in names}


def _entry(path: Path, url: str) -> dict[str, Any]:
    return {
        "path": str(path),
        "bytes": path.stat().st_size,
        "sha256": file_digest(path),
        "url": url,
    }
