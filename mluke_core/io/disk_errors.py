"""What a disk says when it is full or cannot be written, as one message with what to do."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mluke_core.errors import MlukeError

_ELSEWHERE = "choose another with --config results=FOLDER."
_ADVICE = {
    errno.ENOSPC: "Free some space (results/<scale>/work may be deleted) and start again.",
    errno.EDQUOT: "Your quota is used up: free some space and start again.",
    errno.EACCES: f"Make the folder writable, or {_ELSEWHERE}",
    errno.EPERM: f"Make the folder writable, or {_ELSEWHERE}",
    errno.EROFS: f"The file system is read-only: {_ELSEWHERE}",
}
# How safetensors passes on what the system said.
_IN_TEXT = re.compile(r"\(os error (\d+)\)")


def explain_disk_error(error: Exception, path: Path, written: int = 0) -> MlukeError | None:
    """The message for an error of the disk that the user can mend; None for any other error.

    Args:
        path: what was being written; libraries often leave it out.
        written: bytes of it that are on the disk at this moment.

    >>> print(explain_disk_error(OSError(errno.EROFS, "?"), Path("results/a.parquet")))
    results/a.parquet: Read-only file system. The file system is read-only: choose another with \
--config results=FOLDER.
    """
    number = error.errno if isinstance(error, OSError) else _number_in(str(error))
    if number not in _ADVICE:
        return None
    place = Path(getattr(error, "filename", None) or path)
    said = os.strerror(number)
    if number in (errno.ENOSPC, errno.EDQUOT):
        said += f" (it needs more than the {written + _free(place):,} bytes that were free there)"
    return MlukeError(f"{place}: {said}. {_ADVICE[number]}")


@contextmanager
def disk_errors_named(path: Path) -> Iterator[None]:
    """Raise the message for ``path`` instead of an error of the disk while it is written.

    Raises:
        MlukeError: when the disk is full or cannot be written.
    """
    try:
        yield
    except OSError as error:
        written = path.stat().st_size if path.is_file() else 0
        explained = explain_disk_error(error, path, written)
        if explained is None:
            raise
        raise explained from error


def _number_in(text: str) -> int:
    found = _IN_TEXT.search(text)
    return int(found[1]) if found else 0


def _free(path: Path) -> int:
    existing = next((folder for folder in path.absolute().parents if folder.exists()), Path("/"))
    return shutil.disk_usage(existing).free
