"""At most two connections to a Wikimedia host, over all processes of a run.

Wikimedia asks for it. A slot is a file lock in the download folder: a process that finds both taken
waits for one.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

log = logging.getLogger("mluke")

LIMITED_DOMAINS = ("wikimedia.org", "wikipedia.org", "wikidata.org")
SLOTS = 2
_WAIT_SECONDS = 1.0


def is_limited(host: str) -> bool:
    """Whether connections to ``host`` are limited.

    >>> is_limited("dumps.wikimedia.org"), is_limited("notwikimedia.org")
    (True, False)
    """
    return any(host == domain or host.endswith("." + domain) for domain in LIMITED_DOMAINS)


@contextmanager
def host_slot(folder: Path, address: str) -> Iterator[int]:
    """Hold one of the slots of the address's host; yields its number (0 without a limit)."""
    host = urlsplit(address).hostname or ""
    if not is_limited(host):
        yield 0
        return
    locks = folder / ".slots"
    locks.mkdir(parents=True, exist_ok=True)
    handles = [open(locks / f"{host}.{slot}", "w") for slot in range(SLOTS)]  # noqa: SIM115
    try:
        yield _take(handles, host)
    finally:
        for handle in handles:
            handle.close()


def _take(handles: Sequence[IO[str]], host: str) -> int:
    told = False
    while True:
        for slot, handle in enumerate(handles):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return slot
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                    raise
                log.warning(
                    "%s: no file locks on this file system; run at most %d downloads at once",
                    handle.name,
                    SLOTS,
                )
                return slot
        if not told:
            log.info("%s: %d connections are open already; waiting for one", host, SLOTS)
            told = True
        time.sleep(_WAIT_SECONDS)
