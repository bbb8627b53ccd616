"""Pieces of texts as strings of symbols, in which mentions of several pieces are substrings.

Every piece that a mention has is a symbol: one character, of the fewer bytes the more mentions have
it. Two symbols side by side are pieces with a blank between them, which most neighbours are; a mark
joins pieces without one. Of a text only the stretches are kept in which all neighbours are
neighbours in some mention too, and no mention is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mluke_core.alignment.text_pieces import strings
from mluke_core.io.parquet import string_array

_BLANK = string_array([" "])
_NO_SYMBOL = string_array([" ", "\n"])
_PLAIN, _JOINED, _LAST = range(3)
# What stands behind a symbol of each of these kinds.
_SUFFIXES = ("", "\x01", "\x00")
_FIRST_SYMBOL = 2
_SURROGATES, _SURROGATE_COUNT = 0xD800, 0x800
# Symbols of one character. Those beyond are a character of the first half of the last plane and one
# of its second half, so that no symbol begins inside another.
SHORT_SYMBOLS = 1_000_000
_LAST_PLANE, _HALF_PLANE_BITS = 0x100000, 15
# Of the filter per pair: one in eight foreign pairs passes it, which costs time and no more.
_FILTER_BITS = 8
_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(slots=True)
class Words:
    """Pieces other than single blanks, of a number of texts.

    Attributes:
        numbers: n numbers of pieces; :attr:`PieceSymbols.unknown` for those no mention has.
        gaps: n - 1 numbers: 1 where nothing stands between a piece and the next, 2 for a blank.
        bounds: where each text begins in ``numbers``, and n.
    """

    numbers: np.ndarray
    gaps: np.ndarray
    bounds: np.ndarray


class PieceSymbols:
    """Numbers and symbols of the pieces of mentions.

    Args:
        pieces: the different pieces of all mentions, line feed and blank among them.
        frequencies: how often each occurs in mentions.
    """

    def __init__(self, pieces: pa.StringArray, frequencies: np.ndarray) -> None:
        order = pa.array(np.argsort(-frequencies, kind="stable"))
        ordered = pieces.take(order)
        ordered = ordered.filter(pc.invert(pc.is_in(ordered, _NO_SYMBOL)))
        size = len(ordered)
        self._blank, self.unknown = size, size + 1
        self._pieces = pa.concat_arrays([ordered, _BLANK])
        symbols = string_array(list(map(_symbol, range(size))))
        rows = np.arange(size).repeat(len(_SUFFIXES))
        suffixes = string_array(_SUFFIXES * size)
        self._table = pc.binary_join_element_wise(symbols.take(pa.array(rows)), suffixes, "")
        self._filter = np.zeros(1, np.uint8)
        self._filter_shift = np.uint64(61)

    def numbers_of(self, pieces: pa.StringArray | pa.ChunkedArray) -> np.ndarray:
        """The number of each piece.

        Every call makes a hash table of all pieces of mentions: many texts at once are cheaper.
        """
        found = pc.index_in(pieces, self._pieces).fill_null(self.unknown)
        return found.to_numpy()

    def words(self, numbers: np.ndarray, bounds: np.ndarray) -> Words:
        """Pieces by their numbers, without the single blanks; ``bounds`` as of ``pieces_of``."""
        places = np.flatnonzero(numbers != self._blank)
        return Words(numbers[places], np.diff(places), np.searchsorted(places, bounds))

    def patterns(self, mentions: Words) -> list[str]:
        """Symbols of each mention, empty for a mention of one piece.

        From here on :meth:`texts` keeps the neighbours that these mentions have.
        """
        linked = self._known_neighbours(mentions)
        pairs = self._pairs(mentions)[linked]
        bits = max(3, (_FILTER_BITS * len(pairs)).bit_length())
        self._filter_shift = np.uint64(64 - bits)
        is_set = np.zeros(1 << bits, bool)
        is_set[self._hashes(pairs)] = True
        self._filter = np.packbits(is_set, bitorder="little")
        # The mark behind the last piece is no part of the mention.
        return [pattern[:-1] for pattern in self._stretches(mentions, linked)]

    def texts(self, words: Words) -> list[str]:
        """Symbols of the stretches of each text that may hold a mention of several pieces."""
        hashes = self._hashes(self._pairs(words))
        may_be = (self._filter[hashes >> 3] >> (hashes & 7).astype(np.uint8)) & 1
        return self._stretches(words, self._known_neighbours(words) & may_be.view(bool))

    def _known_neighbours(self, words: Words) -> np.ndarray:
        known = words.numbers != self.unknown
        return known[:-1] & known[1:] & (words.gaps <= 2)

    def _pairs(self, words: Words) -> np.ndarray:
        """A number for each piece with its gap and the next piece."""
        first = 2 * words.numbers[:-1].astype(np.int64) + (words.gaps == 1)
        return first * (self.unknown + 1) + words.numbers[1:]

    def _hashes(self, pairs: np.ndarray) -> np.ndarray:
        return ((pairs.view(np.uint64) * _HASH_FACTOR) >> self._filter_shift).view(np.int64)

    def _stretches(self, words: Words, linked: np.ndarray) -> list[str]:
        """Symbols per text of the pieces that are linked to a neighbour, a mark behind each run."""
        kept = np.zeros(len(words.numbers), bool)
        kept[:-1] = linked
        kept[1:] |= linked
        places = np.flatnonzero(kept)
        kinds = np.full(len(kept), _LAST)
        kinds[:-1][linked] = np.where(words.gaps[linked] == 1, _JOINED, _PLAIN)
        rows = words.numbers[places] * len(_SUFFIXES) + kinds[places]
        symbols = self._table.take(pa.array(rows))
        offsets = np.frombuffer(symbols.buffers()[1], np.int32, len(symbols) + 1)
        bounds = np.searchsorted(places, words.bounds)
        return strings(offsets[bounds], symbols.buffers()[2]).to_pylist()


def _symbol(number: int) -> str:
    if number >= SHORT_SYMBOLS:
        first, second = divmod(number - SHORT_SYMBOLS, 1 << _HALF_PLANE_BITS)
        return chr(_LAST_PLANE + first) + chr(_LAST_PLANE + (1 << _HALF_PLANE_BITS) + second)
    code = number + _FIRST_SYMBOL
    return chr(code if code < _SURROGATES else code + _SURROGATE_COUNT)
