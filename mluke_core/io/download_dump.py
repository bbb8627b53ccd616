"""Fetch one Wikipedia's pages-articles dump: `download_dump`."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from mluke_core.errors import DownloadError
from mluke_core.io.download import Downloader, Expected
from mluke_core.io.files import read_json
from mluke_core.io.mirror import parse_checksums

log = logging.getLogger("mluke")

# Jobs of dumpstatus.json that hold pages-articles, the best first: multistream files can be read
# from any place. The recombined jobs hold the parts of a large wiki once more as one file.
JOBS = (
    "articlesmultistreamdump",
    "articlesmultistreamdumprecombine",
    "articlesdump",
    "articlesdumprecombine",
)
_FILE = re.compile(
    r".*-pages-articles(?P<kind>-multistream)?(?P<part>\d*)\.xml(?:-p(?P<first>\d+)p(?P<last>\d+))?"
    r"\.bz2"
)


def fetch_dump(settings: dict[str, Any], downloads: Path) -> dict[str, Any]:
    """Fetch the files of a dump and return its manifest.

    Args:
        settings: ``language``, ``wiki``, ``date``, ``urls`` (base addresses, tried in order),
            ``mirror`` and ``contact``.
        downloads: folder for ``<host>/<path>``.

    Returns:
        ``{"language", "wiki", "date", "files": [{"path", "bytes", "sha1"}]}``, in page order.

    Raises:
        DownloadError: the list of files or a file cannot be had, or the dump is not finished.
    """
    wiki, date = settings["wiki"], settings["date"]
    bases = [url.rstrip("/") for url in settings["urls"]]
    downloader = Downloader(downloads, settings.get("mirror"), settings.get("contact"))
    files = []
    for name, expected in list_files(downloader, bases, wiki, date):
        fetched = downloader.fetch([f"{base}/{name}" for base in bases], expected)
        files.append({"path": str(fetched.path), "bytes": fetched.size, "sha1": fetched.sha1})
    return {"language": settings["language"], "wiki": wiki, "date": date, "files": files}


def list_files(
    downloader: Downloader, bases: list[str], wiki: str, date: str
) -> list[tuple[str, Expected]]:
    """Names of the dump's files in page order, with what is promised of them.

    They come from ``dumpstatus.json``; an archive that does not keep it may have the list of sha1
    digests instead.
    """
    try:
        status = downloader.fetch([f"{base}/dumpstatus.json" for base in bases])
    except DownloadError as error:
        name = f"{wiki}-{date}-sha1sums.txt"
        log.warning("%s; trying %s", error, name)
        try:
            sums = downloader.fetch([f"{base}/{name}" for base in bases])
        except DownloadError as second:
            raise DownloadError(
                f"the dump of {wiki} of {date} cannot be found.\n{error}\n{second}\n"
                "Wikimedia keeps a dump for some months: set dump_date to a newer one, or add an "
                "archive's address to sources.wikipedia.urls."
            ) from None
        return files_of_sums(sums.path, wiki, date)
    try:
        return files_of_status(status.path, wiki, date)
    except DownloadError:
        # The next run is to ask again, for a dump in the making is done one day.
        status.path.unlink()
        raise


def files_of_status(path: Path, wiki: str, date: str) -> list[tuple[str, Expected]]:
    """Read ``dumpstatus.json``: the files of the best job that is done."""
    jobs = read_json(path).get("jobs", {})
    states: list[str] = []
    for job in JOBS:
        entry = jobs.get(job)
        if entry is None:
            continue
        if entry.get("status") != "done":
            states.append(f"{job} is '{entry.get('status')}'")
            continue
        files = {
            name: Expected(
                size=described.get("size"), sha1=described.get("sha1"), promised_by=str(path)
            )
            for name, described in entry.get("files", {}).items()
        }
        ordered = in_page_order(files)
        if ordered:
            return ordered
        states.append(f"{job} lists no pages-articles file")
    raise DownloadError(
        f"{path}: the dump of {wiki} of {date} is not there: {'; '.join(states) or 'no job'}. "
        "Wait until it is done, or set dump_date to another one."
    )


def files_of_sums(path: Path, wiki: str, date: str) -> list[tuple[str, Expected]]:
    """Read the list of sha1 digests of a dump (``<digest>  <file>`` lines)."""
    digests = parse_checksums(path.read_text(encoding="utf-8"), str(path), "sha1")
    files = {name: Expected(sha1=sha1, promised_by=str(path)) for name, sha1 in digests.items()}
    multistream = {name: e for name, e in files.items() if "-multistream" in name}
    plain = {name: e for name, e in files.items() if "-multistream" not in name}
    ordered = in_page_order(multistream) or in_page_order(plain)
    if not ordered:
        raise DownloadError(
            f"{path}: the dump of {wiki} of {date} has no pages-articles file. Set dump_date to "
            "another one."
        )
    return ordered


def in_page_order(files: dict[str, Expected]) -> list[tuple[str, Expected]]:
    """The pages-articles files among ``files``, parts in the order of their pages.

    Where both the parts and the one recombined file are listed, the parts are taken.

    >>> [name for name, _ in in_page_order({
    ...     "x-pages-articles10.xml-p30p40.bz2": Expected(),
    ...     "x-pages-articles2.xml-p5p29.bz2": Expected(),
    ...     "x-pages-articles-index.txt.bz2": Expected()})]
    ['x-pages-articles2.xml-p5p29.bz2', 'x-pages-articles10.xml-p30p40.bz2']
    """
    found = [(match, name) for name in files if (match := _FILE.fullmatch(name))]
    parts = [(match, name) for match, name in found if match["part"] or match["first"]]
    chosen = parts or found
    chosen.sort(key=lambda pair: (int(pair[0]["first"] or 0), int(pair[0]["part"] or 0), pair[1]))
    return [(name, files[name]) for _, name in chosen]
