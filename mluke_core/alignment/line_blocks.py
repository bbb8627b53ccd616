"""A compressed text file in blocks of whole lines, for readers that work on many lines at once."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from mluke_core.errors import DataError

BLOCK_BYTES = 1 << 22


class LineBlocks:
    """Blocks of about :data:`BLOCK_BYTES` bytes that end at the end of a line.

    Used as a context manager and iterated over once.

    Args:
        path: a file, ``.bz2``, ``.gz`` or as it is.
        threads: threads that unpack a ``.bz2`` file.

    Raises:
        DataError: there is no such file; while iterating, when it is damaged or cut off.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.path = path
        self.threads = threads
        try:
            self._raw: IO[bytes] = open(path, "rb")  # noqa: SIM115 - closed in __exit__
        except FileNotFoundError:
            raise DataError(
                f"{path}: no such file. Delete its source manifest to fetch it."
            ) from None
        self._stream: Any = self._raw

    def __enter__(self) -> Self:
        if self.path.suffix == ".bz2":
            import indexed_bzip2

            self._stream = indexed_bzip2.open(str(self.path), parallelization=self.threads)
        elif self.path.suffix == ".gz":
            self._stream = gzip.GzipFile(fileobj=self._raw)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream is not self._raw:
            self._stream.close()
        self._raw.close()

    def position(self) -> int:
        """How far the file has been read, in compressed bytes."""
        if self.path.suffix == ".bz2":
            return self._stream.tell_compressed() // 8
        return self._raw.tell()

    def __iter__(self) -> Iterator[bytes]:
        # Parts of a line that goes on; joined once, so that an endless line stays linear.
        started: list[bytes] = []
        while data := self._read():
            cut = data.rfind(b"\n") + 1
            if cut:
                yield b"".join([*started, data[:cut]])
                started = []
            if cut < len(data):
                started.append(data[cut:])
        if started:
            yield b"".join(started)

    def _read(self) -> bytes:
        try:
            return self._stream.read(BLOCK_BYTES)
        except (EOFError, OSError, zlib.error, RuntimeError, ValueError) as error:
            raise DataError(
                f"{self.path}: damaged or cut off ({error or 'unexpected end of file'}). Delete it "
                "and its source manifest so that it is fetched again."
            ) from None
