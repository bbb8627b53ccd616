"""Fetch a data source and list its files: `download_source`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from mluke_core.errors import DataError, DownloadError, MissingFileError
from mluke_core.io.archives import unpack_zip
from mluke_core.io.download import Downloader, Expected
from mluke_core.io.files import file_digest
from mluke_core.io.mirror import parse_checksums
from mluke_core.io.progress import Progress

log = logging.getLogger("mluke")


def fetch_source(settings: dict[str, Any], downloads: Path) -> dict[str, Any]:
    """Fetch every file of a source (or list the user's own) and return its manifest.

    Args:
        settings: ``name``, ``version``, ``licence`` and either ``files`` (``[{"urls" or "url",
            "name", "sha256"?}]``), ``checksums`` (addresses of the publisher's list of sha1
            digests), ``unpack``, ``mirror`` and ``contact``, or ``local`` (a folder) and
            ``files`` (``[{"name"}]``).
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
    promises = _promises(downloader, settings)
    files: dict[str, dict[str, Any]] = {}
    with Progress(f"source {name}", total=len(settings["files"]), unit="file") as progress:
        for entry in settings["files"]:
            urls = entry.get("urls") or [entry["url"]]
            fetched = downloader.fetch(urls, promises.get(entry["name"]))
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


def _promises(downloader: Downloader, settings: dict[str, Any]) -> dict[str, Expected]:
    """What is promised of each file: by its pin in the configuration, else by its publisher."""
    pinned_by = f"sources.{settings['name']}.sha256 of the configuration"
    promises = {
        entry["name"]: Expected(sha256=entry["sha256"], promised_by=pinned_by)
        for entry in settings["files"]
        if entry.get("sha256")
    }
    unpinned = [entry["name"] for entry in settings["files"] if entry["name"] not in promises]
    if unpinned and settings.get("checksums"):
        promises |= _published(downloader, settings["checksums"], unpinned)
    return promises


def _published(
    downloader: Downloader, checksums: list[str], names: list[str]
) -> dict[str, Expected]:
    """What the publisher's list of sha1 digests promises of the files ``names``."""
    try:
        listed = downloader.fetch(checksums)
    except MissingFileError as error:
        log.warning("%s are not checked, for there is no list of digests: %s", names, error)
        return {}
    promises: dict[str, Expected] = {}
    try:
        text = listed.path.read_text(encoding="utf-8", errors="replace")
        digests = parse_checksums(text, f"{listed.path} (from {listed.url})", "sha1")
        promises = {
            name: Expected(sha1=digests[name], promised_by=listed.url)
            for name in names
            if name in digests
        }
    finally:
        if len(promises) < len(names):
            # The next run is to ask again: the list grows while a dump is in the making.
            listed.path.unlink()
    if len(promises) < len(names):
        unlisted = [name for name in names if name not in promises]
        log.warning("%s are not checked: %s does not list them", unlisted, listed.url)
    return promises


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
