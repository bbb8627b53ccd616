"""In how many texts each of many mentions occurs, in one pass of an Aho-Corasick automaton.

Mentions count as whole words, so the ends of words must be visible to the automaton. In text with
spaces between words most of them are already: only where a word ends without a space (before a
comma, say) a mark between two spaces is put in. Where most characters stand alone, as in Chinese,
every boundary gets a single mark (:func:`mluke_core.alignment.mention_text.mark`). Which of the two
is shorter is seen from the mentions; both find the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import ahocorasick_rs
import numpy as np

from mluke_core.alignment.mention_text import MARK, boundaries, fold, mark
from mluke_core.io.progress import Progress

_BOUNDARY = f" {MARK} "
_MENTIONS_AT_ONCE = 10_000
_SPACE = ord(" ")


class OccurrenceCounter:
    """Counts the texts in which each mention occurs; a mention inside a longer one counts too.

    Args:
        mentions: as :func:`~mluke_core.alignment.mention_text.normalize_mention` gives them.
        language: language of the texts; decides how case is folded.
    """

    def __init__(self, mentions: Sequence[str], language: str) -> None:
        self.language = language
        sample = mentions[:: max(1, len(mentions) // _MENTIONS_AT_ONCE)]
        spaced, marked = (sum(map(len, map(encode, sample))) for encode in (space_words, mark))
        self._encode = space_words if spaced < marked else mark
        patterns: list[str] = []
        for start in range(0, len(mentions), _MENTIONS_AT_ONCE):
            patterns += self._encode_all(mentions[start : start + _MENTIONS_AT_ONCE])
        self._automaton = ahocorasick_rs.AhoCorasick(patterns, store_patterns=True)

    def _encode_all(self, mentions: Sequence[str]) -> list[str]:
        """Many mentions as one text, which is ten times faster than one by one."""
        edge, boundary = (" ", _BOUNDARY) if self._encode is space_words else (MARK, MARK)
        parts = self._encode("\n".join(mentions))[1:-1].split(f"{boundary}\n{boundary}")
        encoded = [f"{edge}{part}{edge}" for part in parts]
        if len(encoded) != len(mentions):
            # A mention that begins with a combining character sticks to the line end before it.
            return [self._encode(mention) for mention in mentions]
        return encoded

    def count(self, texts: Iterable[str]) -> dict[str, int]:
        """Mention to the number of texts in which it occurs, for those that occur."""
        found: Counter[str] = Counter()
        with Progress(f"mentions {self.language}", unit="char") as progress:
            for text in texts:
                encoded = self._encode(fold(text, self.language))
                found.update(
                    set(self._automaton.find_matches_as_strings(encoded, overlapping=True))
                )
                progress.update(len(text))
        if self._encode is space_words:
            found = Counter(
                {key[1:-1].replace(_BOUNDARY, ""): number for key, number in found.items()}
            )
        return {key.replace(MARK, ""): number for key, number in found.items()}


def space_words(text: str) -> str:
    """``text`` between spaces, with a mark between spaces where a word ends without one.

    >>> space_words("a cat's").replace(MARK, "|")
    " a cat | ' | s "
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    if not len(codes):
        return "  "
    space = codes == _SPACE
    boundary = boundaries(codes)
    stuck = np.flatnonzero(space[:-1] & ~boundary) + 1
    if len(stuck):
        # A combining character belongs to the space before it: no mention begins there.
        pieces = (text[start:end] for start, end in pairwise([0, *stuck.tolist(), len(text)]))
        return f" {MARK.join(space_words(piece)[1:-1] for piece in pieces)} "
    cuts = np.flatnonzero(boundary & ~space[1:] & ~space[:-1]) + 1
    ends = [*cuts.tolist(), len(text)]
    start, parts = 0, []
    for end in ends:
        parts.append(text[start:end])
        start = end
    return f" {_BOUNDARY.join(parts)} "
