"""Decompress a byte range of a bzip2 file stream by stream.

A multistream dump is many bzip2 streams behind one another; each begins with the same ten bytes,
so a job can start anywhere in the file: at the first such place behind its offset. Streams are then
followed one by one, and a broken one is passed over by looking for the next beginning.
"""

from __future__ import annotations

import bz2
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

# "BZh", block size, then the magic number of a block, or of the end for an empty stream.
STREAM_START = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", re.DOTALL)
STREAM_START_BYTES = 10
READ_BYTES = 1 << 20
PIECE_BYTES = 4 << 20


class Piece(NamedTuple):
    """Something met while decompressing."""

    kind: str
    """``data``; ``end`` of a stream; ``broken``: the stream, or bytes that begin none, cannot be
    decompressed; ``truncated``: the file ends inside the stream."""
    start: int
    """Offset of the stream in the file."""
    stop: int
    """For ``end`` and ``broken``: offset where the next stream begins or the file ends."""
    data: bytes = b""
    error: str = ""


def find_stream(stream: BinaryIO, start: int, size: int) -> int:
    """Offset of the first stream that begins at or behind ``start``; ``size`` if there is none."""
    position = start
    tail = b""
    stream.seek(start)
    while block := stream.read(READ_BYTES):
        window = tail + block
        match = STREAM_START.search(window)
        if match:
            return position - len(tail) + match.start()
        position += len(block)
        tail = window[-(STREAM_START_BYTES - 1) :]
    return size


def read_streams(path: Path, start: int, stop: int) -> Iterator[Piece]:
    """Decompress every stream of ``path`` that begins in ``[start, stop)``.

    Data come in pieces of bounded size, whatever a stream expands to. Streams begin where
    :func:`find_stream` says or where the one before ended, so the ranges of several jobs share
    the streams out exactly.
    """
    size = path.stat().st_size
    with open(path, "rb") as stream:
        position = find_stream(stream, start, size)
        while position < stop and position < size:
            for piece in _read_stream(stream, position, size):
                yield piece
                if piece.kind != "data":
                    position = piece.stop


def _read_stream(stream: BinaryIO, start: int, size: int) -> Iterator[Piece]:
    stream.seek(start)
    head = stream.read(STREAM_START_BYTES)
    if not STREAM_START.match(head):
        following = find_stream(stream, start + 1, size)
        rest = _sample(stream, start, following)
        if not rest.strip(b"\0"):
            yield Piece("end", start, following)
        elif len(head) < STREAM_START_BYTES and head.startswith(b"BZ"):
            yield Piece("truncated", start, size, error="the file ends inside a stream's header")
        else:
            yield Piece("broken", start, following, error="bytes that begin no bzip2 stream")
        return
    decompressor = bz2.BZ2Decompressor()
    pending = head
    try:
        while True:
            data = decompressor.decompress(pending, PIECE_BYTES)
            if data:
                yield Piece("data", start, start, data)
            if decompressor.eof:
                yield Piece("end", start, stream.tell() - len(decompressor.unused_data))
                return
            pending = stream.read(READ_BYTES) if decompressor.needs_input else b""
            if decompressor.needs_input and not pending:
                yield Piece("truncated", start, size, error="the file ends inside a stream")
                return
    except (OSError, ValueError) as error:
        following = find_stream(stream, start + 1, size)
        yield Piece("broken", start, following, error=str(error))


def _sample(stream: BinaryIO, start: int, stop: int) -> bytes:
    stream.seek(start)
    return stream.read(min(stop - start, READ_BYTES))
