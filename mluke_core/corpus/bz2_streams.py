"""Decompress a byte range of a bzip2 file stream by stream.

A multistream dump is many bzip2 streams behind one another; each begins with the same ten bytes,
so a job can start anywhere in the file: at the first such place behind its offset. Streams are then
followed one by one, and a broken one is passed over by looking for the next beginning.

``indexed_bzip2`` does the work: three quarters of the processor time of the standard library, and
several threads for a file that is one long stream. It says little about what is wrong, so a stream
that it refuses is read again by the standard library, which finds the place.
"""

from __future__ import annotations

import bz2
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from indexed_bzip2 import IndexedBzip2File

# "BZh", block size, then the magic number of a block, or of the end for an empty stream.
STREAM_START = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", re.DOTALL)
STREAM_START_BYTES = 10
# The mark at a stream's end and the checksum behind it.
END_MARK_BITS = 48 + 32
READ_BYTES = 1 << 20
# A compressed stream up to this size is held in memory; those of multistream dumps are far smaller.
HELD_BYTES = 16 << 20


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
    while position < size and (block := stream.read(min(READ_BYTES, size - position))):
        window = tail + block
        match = STREAM_START.search(window)
        if match:
            return position - len(tail) + match.start()
        position += len(block)
        tail = window[-(STREAM_START_BYTES - 1) :]
    return size


def read_streams(
    path: Path, start: int, stop: int, piece_bytes: int, threads: int = 1
) -> Iterator[Piece]:
    """Decompress every stream of ``path`` that begins in ``[start, stop)``.

    Data come in pieces of bounded size, whatever a stream expands to. Streams begin where
    :func:`find_stream` says or where the one before ended, so the ranges of several jobs share
    the streams out exactly.

    Args:
        path: a bzip2 file.
        start: first byte of the range.
        stop: end of the range, exclusive.
        piece_bytes: largest size of a piece.
        threads: how many may work on a stream too long to be held in memory.
    """
    size = path.stat().st_size
    with open(path, "rb") as stream:
        position = find_stream(stream, start, size)
        while position < stop and position < size:
            for piece in _read_stream(stream, position, size, piece_bytes, threads):
                yield piece
                if piece.kind != "data":
                    position = piece.stop


def _read_stream(
    stream: BinaryIO, start: int, size: int, piece_bytes: int, threads: int
) -> Iterator[Piece]:
    stream.seek(start)
    head = stream.read(STREAM_START_BYTES)
    if not STREAM_START.match(head):
        yield _no_stream(stream, start, size, head)
        return
    limit = min(size, start + HELD_BYTES)
    following = find_stream(stream, start + STREAM_START_BYTES, limit)
    # The reader never lets go of the object it reads, so what that holds has to be freed by hand.
    held = io.BytesIO()
    if following < limit or limit == size:
        stream.seek(start)
        held = io.BytesIO(stream.read(following - start))
        source: BinaryIO | str = held
        threads = 1
    elif start == 0:
        # One stream of many gigabytes; should others follow, they are read as part of it.
        source = stream.name
    else:
        yield from _read_carefully(stream, start, size, 0, piece_bytes)
        return
    done = 0
    try:
        with held, IndexedBzip2File(source, parallelization=threads) as plain:
            while data := plain.read(piece_bytes):
                done += len(data)
                yield Piece("data", start, start, data)
            last = max(plain.block_offsets())
            # Of the last stream, several threads list the end; one lists the mark in front of it.
            end = last if threads > 1 else last + END_MARK_BITS
    except (RuntimeError, ValueError, OSError):
        yield from _read_carefully(stream, start, size, done, piece_bytes)
    else:
        # Bytes between streams are not taken for a part of the one in front of them.
        yield Piece("end", start, start + -(-end // 8))


def _no_stream(stream: BinaryIO, start: int, size: int, head: bytes) -> Piece:
    """What to say of bytes that begin no stream."""
    following = find_stream(stream, start + 1, size)
    stream.seek(start)
    rest = stream.read(min(following - start, READ_BYTES))
    if not rest.strip(b"\0"):
        return Piece("end", start, following)
    if len(head) < STREAM_START_BYTES and head.startswith(b"BZ"):
        return Piece("truncated", start, size, error="the file ends inside a stream's header")
    return Piece("broken", start, following, error="bytes that begin no bzip2 stream")


def _read_carefully(
    stream: BinaryIO, start: int, size: int, done: int, piece_bytes: int
) -> Iterator[Piece]:
    """The stream at ``start`` without its first ``done`` bytes, which have been handed out."""
    decompressor = bz2.BZ2Decompressor()
    stream.seek(start)
    pending = stream.read(READ_BYTES)
    try:
        while True:
            data = decompressor.decompress(pending, piece_bytes)
            fresh, done = data[done:], max(0, done - len(data))
            if fresh:
                yield Piece("data", start, start, fresh)
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
