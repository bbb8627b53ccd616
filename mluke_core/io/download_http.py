"""One file over HTTP: retried with back-off, resumed with ranges, never longer than promised."""

from __future__ import annotations

import logging
import re
import shutil
import time
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import InvalidHeader

from mluke_core.errors import DownloadError, MissingFileError
from mluke_core.io.files import read_json, write_json
from mluke_core.io.progress import Progress

log = logging.getLogger("mluke")

USER_AGENT = "mluke-dag/0.1 (reproduction of mLUKE from Wikipedia dumps; contact: {contact})"
EMPTY = "the server's answer is empty"
NO_CONTACT = "none given, set `contact` in config.yaml"
# All others that are no errors, such as 204, come without the file.
FILE_STATUSES = (200, 206)
MISSING_STATUSES = (404, 410)
RETRY_STATUSES = (408, 425, 429, 500, 502, 503, 504)
# A transfer that has come this much further since it broke off last starts with all its tries.
PROGRESS_BYTES = 8 << 20
# Of a transfer that breaks off at most this much is lost.
READ_BYTES = 1 << 16
LONGEST_BACKOFF_SECONDS = 120
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class _Retry(urllib3.Retry):
    """A ``Retry-After`` that cannot be read counts as none; urllib3 gives the request up."""

    def parse_retry_after(self, retry_after: str) -> float:
        try:
            return super().parse_retry_after(retry_after)
        # The last two: numbers of thousands of digits, dates beyond the calendar.
        except (InvalidHeader, ValueError, OverflowError):
            log.warning(
                "the server says Retry-After: %.40s; waiting as long as without", retry_after
            )
            return 0


class HttpSource:
    """Downloads with one session: connections are reused, proxies come from the environment.

    Args:
        contact: named in the User-Agent, as the Wikimedia servers ask for.
        attempts: how often a request, and a transfer that breaks off, is tried.
        backoff_seconds: wait before the second try; it doubles with each. A server's
            ``Retry-After`` goes first.
        timeout_seconds: to connect, and between two bytes of an answer.
        longest_wait_seconds: a ``Retry-After`` beyond it is not waited for in full.
    """

    def __init__(
        self,
        contact: str | None = None,
        attempts: int = 6,
        backoff_seconds: float = 1.0,
        timeout_seconds: float = 60.0,
        longest_wait_seconds: int = 600,
    ) -> None:
        self.attempts = attempts
        self.backoff_seconds = backoff_seconds
        self.timeout_seconds = timeout_seconds
        self.session = requests.Session()
        # The bytes of the file itself are wanted, so that sizes and ranges mean what they say.
        self.session.headers.update(
            {
                "User-Agent": USER_AGENT.format(contact=contact or NO_CONTACT),
                "Accept-Encoding": "identity",
            }
        )
        retry = _Retry(
            total=attempts,
            backoff_factor=backoff_seconds,
            status_forcelist=RETRY_STATUSES,
            allowed_methods=("GET",),
            respect_retry_after_header=True,
            retry_after_max=longest_wait_seconds,
            raise_on_status=False,
        )
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(max_retries=retry))

    def read_text(self, address: str) -> str | None:
        """A small text file; None when the server has none.

        Raises:
            DownloadError: the server cannot be reached, or answers with an error or with nothing.
        """
        try:
            answer = self.session.get(address, timeout=self.timeout_seconds)
        except requests.RequestException as error:
            raise DownloadError(f"{address}: cannot be read ({error}).") from None
        if answer.status_code in (403, 404, 410):
            return None
        if answer.status_code != 200:
            raise DownloadError(f"{address}: the server answers {answer.status_code}.")
        if not answer.content:
            raise DownloadError(f"{address}: {EMPTY}.")
        return answer.content.decode("utf-8")

    def download(
        self, address: str, part: Path, size: int | None = None, resumable: bool = False
    ) -> None:
        """Fetch ``address`` into ``part``, going on behind what is there already.

        Args:
            size: promised size; an answer that announces another one is refused at once.
            resumable: a digest will be checked, so an earlier run's part may be continued even
                where the server names no version of the file to hold on to.

        Raises:
            MissingFileError: the server says that it has no such file.
            DownloadError: the file cannot be had; a part that can be resumed stays.
        """
        if part.exists() and not (resumable or self._version(part)):
            part.unlink()
        failure = ""
        attempt = 0
        while attempt < self.attempts:
            if attempt:
                time.sleep(min(self.backoff_seconds * 2 ** (attempt - 1), LONGEST_BACKOFF_SECONDS))
            attempt += 1
            before = part.stat().st_size if part.exists() else 0
            try:
                if self._transfer(address, part, size):
                    if not part.stat().st_size and size != 0 and not resumable:
                        part.unlink()
                        self.forget(part)
                        raise DownloadError(f"{EMPTY}, and nobody promised an empty file.")
                    return
                failure = "the server ended the answer early"
            except (requests.ConnectionError, requests.Timeout) as error:
                failure = f"the connection broke off ({_reason(error)})"
            except requests.exceptions.ChunkedEncodingError as error:
                failure = f"the answer is shorter than announced ({_reason(error)})"
            got = part.stat().st_size if part.exists() else 0
            log.warning(
                "%s: %s after %d bytes (try %d of %d, %+d bytes)",
                address,
                failure,
                got,
                attempt,
                self.attempts,
                got - before,
            )
            if got - before >= PROGRESS_BYTES:
                attempt = 0
        raise DownloadError(f"{failure}, {self.attempts} times. Start again later: it resumes.")

    def forget(self, part: Path) -> None:
        """Remove what is remembered about a part."""
        _memo(part).unlink(missing_ok=True)

    def _version(self, part: Path) -> str:
        memo = _memo(part)
        if not memo.is_file():
            return ""
        version: str = read_json(memo).get("version", "")
        return version

    def _transfer(self, address: str, part: Path, size: int | None) -> bool:
        """One request; True when the file is complete."""
        have = part.stat().st_size if part.exists() else 0
        headers: dict[str, str] = {}
        if have:
            headers["Range"] = f"bytes={have}-"
            version = self._version(part)
            if version:
                # A file that has changed meanwhile is then sent from its beginning.
                headers["If-Range"] = version
        try:
            opened = self.session.get(
                address, headers=headers, stream=True, timeout=self.timeout_seconds
            )
        except requests.RequestException as error:
            # The session has tried again already.
            raise DownloadError(f"the server cannot be reached ({_reason(error)}).") from None
        with opened as answer:
            if answer.status_code == 416:
                # Complete already, or longer than the file: the digest decides, or a new start.
                if size is not None and have == size:
                    return True
                part.unlink()
                self.forget(part)
                return False
            if answer.status_code in MISSING_STATUSES:
                raise MissingFileError(_status_message(answer))
            if answer.status_code not in FILE_STATUSES:
                raise DownloadError(_status_message(answer))
            total = self._prepare(answer, part, have, size)
            return self._receive(answer, part, total)

    def _prepare(
        self, answer: requests.Response, part: Path, have: int, size: int | None
    ) -> int | None:
        """Decide where the answer's bytes go; return the size of the whole file if it is known."""
        total: int | None = None
        length = answer.headers.get("Content-Length", "")
        encoded = answer.headers.get("Content-Encoding", "identity") != "identity"
        if answer.status_code == 206:
            match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
            if match is None or int(match.group(1)) != have:
                part.unlink(missing_ok=True)
                self.forget(part)
                raise requests.ConnectionError("it sent another range than was asked for")
            total = int(match.group(3)) if match.group(3) != "*" else None
        else:
            part.unlink(missing_ok=True)
            total = int(length) if length.isdigit() and not encoded else None
        if size is not None and total is not None and size != total:
            raise DownloadError(
                f"the server announces {total:,} bytes, but {size:,} were promised. It has another "
                "version of the file, or not the file at all."
            )
        version = answer.headers.get("ETag", "")
        if not version or version.startswith("W/"):
            version = answer.headers.get("Last-Modified", "")
        write_json(_memo(part), {"address": answer.url, "version": version})
        return total if total is not None else size

    def _receive(self, answer: requests.Response, part: Path, total: int | None) -> bool:
        have = part.stat().st_size if part.exists() else 0
        if total is not None:
            require_space(part, total - have)
        name = part.name.removesuffix(".part")
        with (
            open(part, "ab") as writer,
            Progress(name, total=total, unit="B", initial=have) as progress,
        ):
            for block in answer.iter_content(READ_BYTES):
                have += len(block)
                if total is not None and have > total:
                    writer.write(block[: len(block) - (have - total)])
                    raise DownloadError(f"the server sends more than the {total:,} bytes promised.")
                writer.write(block)
                progress.update(len(block))
        return total is None or have == total


def require_space(path: Path, size: int) -> None:
    """Raise :class:`DownloadError` when ``size`` more bytes do not fit on the disk of ``path``."""
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise DownloadError(
            f"{path}: needs {size:,} bytes, but only {free:,} are free on the disk. Free some "
            "space, or put results elsewhere with --config results=FOLDER."
        )


def _memo(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _reason(error: Any) -> str:
    text = str(error)
    return text if len(text) <= 200 else text[:200] + "..."


def _status_message(answer: requests.Response) -> str:
    status = answer.status_code
    hints = {
        401: "it wants a login",
        403: "it refuses; Wikimedia servers do so without `contact` in config.yaml",
        404: "it has no such file; check the date or version, or add another address",
        410: "it no longer has the file; add an archive's address",
    }
    return f"the server answers {status} {answer.reason}: {hints.get(status, 'try again later')}."
