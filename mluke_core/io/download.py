"""Fetch files over HTTP or from a mirror: resumed, retried, verified, then named.

A file is written as ``<name>.part`` and gets its name when its size and digests are what was
promised. What does not match is kept as ``<name>.rejected`` and reported with where it came from.
At most two processes at a time load from a Wikimedia host; within a process files come one by one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from mluke_core.errors import DownloadError, MissingFileError
from mluke_core.io.download_http import HttpSource, require_space
from mluke_core.io.host_slots import host_slot
from mluke_core.io.mirror import Location, Mirror, local_path
from mluke_core.io.progress import Progress

log = logging.getLogger("mluke")

COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Expected:
    """What a file is promised to be; what is None is not checked."""

    size: int | None = None
    sha1: str | None = None
    sha256: str | None = None
    promised_by: str = "the configuration"
    """Where the promise comes from, for messages."""


@dataclass(frozen=True)
class Fetched:
    """A file that is there."""

    path: Path
    url: str
    """Public address it stands for."""
    size: int
    sha1: str
    sha256: str


class Downloader:
    """Fetches files into ``<folder>/<host>/<path>``.

    Args:
        folder: where files go.
        mirror: folder or base URL that stands in for the public servers; None: none does.
        contact: e-mail address or URL for the User-Agent.

    Raises:
        DownloadError: see :class:`mluke_core.io.mirror.Mirror`.
    """

    def __init__(self, folder: Path, mirror: str | None = None, contact: str | None = None) -> None:
        self.folder = Path(folder)
        self.http = HttpSource(contact)
        self.mirror = Mirror(mirror, self.http.read_text)

    def fetch(self, urls: Sequence[str], expected: Expected | None = None) -> Fetched:
        """The file behind the first of ``urls`` that works; one that is there already is verified.

        Raises:
            MissingFileError: every address says that it has no such file.
            DownloadError: none works (each failure is named), or the disk is full or not writable.
        """
        if not urls:
            raise DownloadError("a file has no address; give its source `urls`.")
        expected = expected or Expected()
        failures: list[str] = []
        missing = True
        for url in urls:
            target = self.folder / local_path(url)
            location = self.mirror.locate(url)
            try:
                present = self._present(target, location, expected)
                return present or self._fetch_one(target, location, expected)
            except (DownloadError, requests.RequestException) as error:
                missing = missing and isinstance(error, MissingFileError)
                failures.append(f"{location.address}: {error}")
                log.warning("%s", failures[-1])
            except OSError as error:
                raise _disk_error(error, target) from error
        kind = MissingFileError if missing else DownloadError
        if len(failures) == 1:
            raise kind(failures[0])
        raise kind(f"none of {len(failures)} addresses gave the file:\n  " + "\n  ".join(failures))

    def _present(self, target: Path, location: Location, expected: Expected) -> Fetched | None:
        if not target.is_file():
            return None
        fetched = _measure(target, location.url)
        mismatch = _mismatch(fetched, location, expected)
        if not mismatch:
            log.info("%s: already there", target)
            return fetched
        rejected = _set_aside(target, target)
        log.warning(
            "%s is there, but %s; it was moved to %s and is fetched again",
            target,
            mismatch,
            rejected,
        )
        return None

    def _fetch_one(self, target: Path, location: Location, expected: Expected) -> Fetched:
        part = target.with_name(target.name + ".part")
        target.parent.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(str(local_path(location.url)).encode()).hexdigest()[:24]
        with _locked(self.folder / ".locks" / name, target) as waited:
            # Another process may have completed the file meanwhile.
            if waited and target.is_file():
                present = self._present(target, location, expected)
                if present:
                    return present
            if location.is_local:
                _copy(Path(location.address), part, location)
            else:
                with host_slot(self.folder, location.address):
                    self.http.download(
                        location.address,
                        part,
                        size=expected.size,
                        resumable=any((expected.sha1, expected.sha256, location.sha256)),
                    )
            fetched = _measure(part, location.url)
            mismatch = _mismatch(fetched, location, expected)
            if mismatch:
                rejected = _set_aside(part, target)
                self.http.forget(part)
                raise DownloadError(
                    f"what was sent is not what was promised: {mismatch}. What came was kept as "
                    f"{rejected}; the file itself was not made. If the file has changed for good, "
                    "correct the digest that promises it."
                )
            part.replace(target)
            self.http.forget(part)
        return Fetched(target, fetched.url, fetched.size, fetched.sha1, fetched.sha256)


@contextmanager
def _locked(lock: Path, target: Path) -> Iterator[bool]:
    """Hold the lock of a file that is being fetched; yields whether it had to be waited for."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    waited = False
    with open(lock, "w") as handle:
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waited = True
                log.info("%s: another process is fetching it; waiting", target)
                fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
            log.warning("%s: no file locks on this file system; going on without", lock.parent)
        yield waited


def _copy(source: Path, part: Path, location: Location) -> None:
    if not source.is_file():
        raise MissingFileError(
            f"the mirror has no such file (it stands for {location.url}). Complete the mirror, or "
            "set mirror to null for the public servers."
        )
    size = source.stat().st_size
    require_space(part, size)
    with (
        open(source, "rb") as reader,
        open(part, "wb") as writer,
        Progress(f"copy {source.name}", total=size, unit="B") as progress,
    ):
        while block := reader.read(COPY_BYTES):
            writer.write(block)
            progress.update(len(block))


def _measure(path: Path, url: str) -> Fetched:
    sha1, sha256 = hashlib.sha1(usedforsecurity=False), hashlib.sha256()
    size = 0
    with open(path, "rb") as stream:
        while block := stream.read(COPY_BYTES):
            sha1.update(block)
            sha256.update(block)
            size += len(block)
    return Fetched(path, url, size, sha1.hexdigest(), sha256.hexdigest())


def _mismatch(fetched: Fetched, location: Location, expected: Expected) -> str:
    """How a file differs from what was promised; empty when it does not."""
    promises = [
        ("size", expected.size, fetched.size, expected.promised_by),
        ("sha1", expected.sha1, fetched.sha1, expected.promised_by),
        ("sha256", expected.sha256, fetched.sha256, expected.promised_by),
        ("sha256", location.sha256, fetched.sha256, location.checksums),
    ]
    wrong = [
        f"{name} is {found}, but {promised_by} promises {promise}"
        for name, promise, found, promised_by in promises
        if promise is not None and str(promise).lower() != str(found)
    ]
    return f"{location.address} sent {fetched.size:,} bytes; " + "; ".join(wrong) if wrong else ""


def _set_aside(path: Path, target: Path) -> Path:
    rejected = target.with_name(target.name + ".rejected")
    path.replace(rejected)
    return rejected


def _disk_error(error: OSError, target: Path) -> DownloadError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        advice = "The disk or quota is full: free some space and start again; it resumes."
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        advice = "Make the folder writable, or choose another with --config results=FOLDER."
    else:
        advice = "Check the disk and start again."
    return DownloadError(f"{error.filename or target}: {error.strerror or error}. {advice}")
