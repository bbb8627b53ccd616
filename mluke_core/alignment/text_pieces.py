"""Texts cut into pieces, at every place where a mention may begin or end.

A mention stands in a text as whole words exactly where its pieces stand there one after the other,
so the search needs no characters, only the numbers of pieces. Blanks are pieces too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from mluke_core.alignment.mention_text import boundaries

_TEXT_END = "\n"


def pieces_of(texts: Sequence[str]) -> tuple[pa.StringArray, np.ndarray]:
    """The pieces of n texts, with a line feed behind each text.

    Returns:
        pieces: of all texts in their order, no copies of the text.
        bounds: where the pieces of each text begin, and the number of pieces; n + 1 integers.

    >>> pieces, bounds = pieces_of(["a cat's", "東京"])
    >>> pieces.to_pylist(), bounds.tolist()
    (['a', ' ', 'cat', "'", 's', '\\n', '東', '京', '\\n'], [0, 6, 9])
    """
    text = _TEXT_END.join([*texts, ""])
    data = text.encode()
    is_ascii = len(data) == len(text)
    codes = np.frombuffer(*((data, np.uint8) if is_ascii else (text.encode("utf-32-le"), "<u4")))
    firsts = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) + 1 for text in texts], out=firsts[1:])
    begins = np.ones(len(codes), bool)
    begins[1:] = boundaries(codes)
    # A combining character at the start of a text sticks to nothing.
    begins[firsts[:-1]] = True
    offsets = np.flatnonzero(begins)
    bounds = np.searchsorted(offsets, firsts)
    if not is_ascii:
        is_first_byte = (np.frombuffer(data, np.uint8) & 0xC0) != 0x80
        offsets = np.flatnonzero(is_first_byte)[offsets]
    return strings(np.append(offsets, len(data)), pa.py_buffer(data)), bounds


def strings(offsets: np.ndarray, data: pa.Buffer) -> pa.StringArray:
    """The n strings between n + 1 byte offsets in UTF-8 ``data``."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets, np.int32)), data]
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers)


def groups_of(texts: Iterable[str], characters: int) -> Iterator[list[str]]:
    """The texts in lists; a list ends with the text that brings it to so many characters."""
    group: list[str] = []
    size = 0
    for text in texts:
        group.append(text)
        size += len(text)
        if size >= characters:
            yield group
            group, size = [], 0
    if group:
        yield group
