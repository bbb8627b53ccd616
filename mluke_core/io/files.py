"""Atomic writes and small JSON files.

A reader never sees half a file: everything is written beside its final name and renamed when it is
complete, so a file that exists under its name is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from mluke_core.errors import DataError
from mluke_core.io.disk_errors import explain_disk_error


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` when the block succeeds.

    The temporary file or folder is removed when the block raises. A folder that already stands at
    ``path`` is replaced.

    Raises:
        MlukeError: when the disk is full or cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(f"{folder}/a.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     Path(folder, "a.txt").read_text()
    'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        temporary.replace(path)
    except Exception as error:
        explained = explain_disk_error(error, path, _size(temporary))
        if explained is None:
            raise
        raise explained from error
    finally:
        # On storage that has become read-only this fails as well: the first error is the one to
        # report, and the next start removes what is left.
        with contextlib.suppress(OSError):
            if temporary.is_dir():
                shutil.rmtree(temporary)
            else:
                temporary.unlink(missing_ok=True)


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically, with Unix line ends."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented UTF-8 JSON, atomically; keys keep the order they were given."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
    with atomic_path(path) as temporary:
        temporary.write_bytes(orjson.dumps(value, option=options))


def read_json(path: str | Path, given: bool = False) -> Any:
    """Read a JSON file; raise :class:`DataError` naming the file when it is missing or damaged.

    Args:
        given: it is a user's own or a published file, which no step would make again.
    """
    try:
        return orjson.loads(read_given(path) if given else Path(path).read_bytes())
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file. Ask Snakemake for it, or check the path given to this step."
        ) from None
    except orjson.JSONDecodeError as error:
        advice = "Mend it, or fetch it" if given else "Delete the file so that it is made"
        raise DataError(f"{path}: not valid JSON ({error}). {advice} again.") from None


def read_given(path: str | Path) -> bytes:
    """Content of a file that a user names; :class:`DataError` when there is none to be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Check the path.") from None


def digest_of(value: Any) -> str:
    """Stable digest of a JSON-like value: 16 hexadecimal digits, whatever the order of keys."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def file_digest(path: str | Path, algorithm: str = "sha256") -> str:
    """Hexadecimal digest of a file's content."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()
