"""In how many texts each of many mentions occurs, in one pass of an Aho-Corasick automaton.

Texts are cut into pieces at the boundaries of words (:mod:`mluke_core.alignment.text_pieces`). A
mention of one piece is counted by the number of its piece. Mentions of several are found by the
automaton in the symbols of the pieces (:mod:`mluke_core.alignment.piece_symbols`), which are many
times fewer than characters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import ahocorasick_rs
import numpy as np
import pyarrow as pa

from mluke_core.alignment.mention_text import fold
from mluke_core.alignment.piece_symbols import PieceSymbols, Words
from mluke_core.alignment.text_pieces import groups_of, pieces_of
from mluke_core.io.progress import Progress

# The different pieces of a batch are looked up once; the arrays of a block stay in the processor's
# cache.
BATCH_CHARACTERS = 16_000_000
BLOCK_CHARACTERS = 400_000
_NO_MENTION = -1
_NUMBER_BITS = 32


class OccurrenceCounter:
    """Counts the texts in which each mention occurs; a mention inside a longer one counts too.

    Args:
        mentions: as :func:`~mluke_core.alignment.mention_text.normalize_mention` gives them.
        language: language of the texts; decides how case is folded.
    """

    def __init__(self, mentions: Sequence[str], language: str) -> None:
        self.language = language
        self._symbols, words = symbols_of(mentions)
        patterns = self._symbols.patterns(words)
        # By number of its piece, the mention that is nothing else.
        self._single = np.full(self._symbols.unknown + 1, _NO_MENTION)
        of_one = np.flatnonzero([not pattern for pattern in patterns])
        self._single[words.numbers[words.bounds[of_one]]] = of_one
        self._mentions = mentions
        self._mention_of = {
            pattern: mention for pattern, mention in zip(patterns, mentions, strict=True) if pattern
        }
        self._automaton = ahocorasick_rs.AhoCorasick(self._mention_of, store_patterns=True)

    def count(self, texts: Iterable[str]) -> dict[str, int]:
        """Mention to the number of texts in which it occurs, for those that occur."""
        found: Counter[str] = Counter()
        singles = np.zeros(len(self._single), np.int64)
        with Progress(f"mentions {self.language}", unit="char") as progress:
            for batch in groups_of(texts, BATCH_CHARACTERS):
                for words in self._words_of([fold(text, self.language) for text in batch]):
                    self._count_singles(words, singles)
                    matches = map(self._matches, filter(None, self._symbols.texts(words)))
                    found.update(chain.from_iterable(matches))
                progress.update(sum(map(len, batch)))
        counts = {self._mention_of[pattern]: number for pattern, number in found.items()}
        for number in np.flatnonzero(singles).tolist():
            counts[self._mentions[self._single[number]]] = int(singles[number])
        return counts

    def _words_of(self, texts: list[str]) -> Iterator[Words]:
        """The pieces of texts, block by block; numbers are looked up once for all blocks."""
        blocks = [pieces_of(block) for block in groups_of(texts, BLOCK_CHARACTERS)]
        numbers = self._symbols.numbers_of(pa.chunked_array([pieces for pieces, _ in blocks]))
        first = 0
        for pieces, bounds in blocks:
            yield self._symbols.words(numbers[first : first + len(pieces)], bounds)
            first += len(pieces)

    def _matches(self, text: str) -> set[str]:
        return set(self._automaton.find_matches_as_strings(text, overlapping=True))

    def _count_singles(self, words: Words, counts: np.ndarray) -> None:
        """Add one to the number of each piece that is a mention, for each text it is in."""
        texts = np.arange(len(words.bounds) - 1) << _NUMBER_BITS
        both = texts.repeat(np.diff(words.bounds)) | words.numbers
        # The texts are in order already, and a stable sort makes use of that.
        both = np.sort(both[self._single[words.numbers] != _NO_MENTION], kind="stable")
        both = both[np.diff(both, prepend=-1) != 0]
        np.add.at(counts, both & ((1 << _NUMBER_BITS) - 1), 1)


def symbols_of(mentions: Sequence[str]) -> tuple[PieceSymbols, Words]:
    """Symbols for all pieces of the mentions, and the pieces of each mention."""
    pieces, bounds = pieces_of(mentions)
    counts = pieces.value_counts()
    symbols = PieceSymbols(counts.field("values"), counts.field("counts").to_numpy())
    return symbols, symbols.words(symbols.numbers_of(pieces), bounds)
