"""Where the bytes of a public address come from: the server itself, or a mirror of it.

A mirror is a folder or a server laid out as ``<host>/<path>``: ``https://host/a/b`` is then read
from ``<mirror>/host/a/b``. When it has a file ``SHA256SUMS`` at its root, everything taken from it
is checked against that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from mluke_core.errors import DownloadError

CHECKSUMS = "SHA256SUMS"


def local_path(url: str) -> PurePosixPath:
    """``<host>/<path>`` of a public address, safe to append to a folder.

    >>> str(local_path("https://host.example/a%20b/c.txt"))
    'host.example/a b/c.txt'

    Raises:
        DownloadError: not an http(s) address of a file, or one that would lead out of the folder.
    """
    parts = urlsplit(url)
    path = unquote(parts.path)
    segments = path.split("/")[1:]
    unsafe = any(s in ("", ".", "..") or "\0" in s or "\\" in s for s in segments)
    if parts.scheme not in ("http", "https") or not parts.hostname or not segments or unsafe:
        raise DownloadError(
            f"{url!r}: not an address of a file; write it as https://host/path in the urls."
        )
    host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    if parts.query:
        segments[-1] += "@" + quote(parts.query, safe="=&")
    return PurePosixPath(host, *segments)


def parse_checksums(text: str, where: str, algorithm: str = "sha256") -> dict[str, str]:
    """Read what ``sha256sum`` or ``sha1sum`` writes: file name (without ``./``) to digest.

    Raises:
        DownloadError: a line is none of theirs.
    """
    digits = 2 * hashlib.new(algorithm, usedforsecurity=False).digest_size
    digests: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        digest, separator, name = line.partition(" ")
        name = name.lstrip(" *").removeprefix("./")
        if not separator or not name or len(digest) != digits:
            raise DownloadError(
                f"{where}, line {number}: not a line of {algorithm}sum ('<digest>  <file>'): "
                f"{line[:100]!r}."
            )
        digests[name] = digest.lower()
    return digests


@dataclass(frozen=True)
class Location:
    """One place to fetch a file from."""

    url: str
    """The public address."""
    address: str
    """What is really opened: the same address, one of a mirror server, or a path."""
    is_local: bool
    sha256: str | None
    """Digest promised by the mirror."""
    checksums: str
    """File that promises it, for messages."""


class Mirror:
    """Redirects public addresses to a mirror.

    Args:
        mirror: None for the public servers, else a folder or the base URL of a server.
        fetch_text: how to read ``SHA256SUMS`` of a server: takes an address, returns its text, or
            None when the server has no such file.

    Raises:
        DownloadError: the folder does not exist, or its ``SHA256SUMS`` is damaged.
    """

    def __init__(self, mirror: str | None, fetch_text: Callable[[str], str | None]) -> None:
        self.name = mirror or ""
        self.is_server = bool(mirror) and urlsplit(self.name).scheme in ("http", "https")
        self._digests: dict[str, str] = {}
        if not mirror:
            return
        self.name = self.name.rstrip("/") or "/"
        self._checksums = f"{self.name}/{CHECKSUMS}"
        text: str | None = None
        if self.is_server:
            text = fetch_text(self._checksums)
        else:
            folder = Path(self.name)
            if not folder.is_dir():
                raise DownloadError(
                    f"mirror: there is no folder '{mirror}'. Set mirror to a folder or base URL "
                    "laid out as <host>/<path>, or to null for the public servers."
                )
            if (folder / CHECKSUMS).is_file():
                text = (folder / CHECKSUMS).read_text(encoding="utf-8")
        if text is not None:
            self._digests = parse_checksums(text, self._checksums)

    def locate(self, url: str) -> Location:
        """Where to fetch ``url`` from."""
        relative = str(local_path(url))
        if not self.name:
            return Location(url, url, False, None, "")
        separator = "" if self.name.endswith("/") else "/"
        path = quote(relative) if self.is_server else relative
        return Location(
            url,
            f"{self.name}{separator}{path}",
            not self.is_server,
            self._digests.get(relative),
            self._checksums,
        )
