"""Sentences of a text by the rules of its language (ICU)."""

from __future__ import annotations

import re
from bisect import bisect_left

import icu

# Languages for which ICU knows abbreviations that end no sentence ("Mr.", "z.B."), as the authors
# used them.
SUPPRESSED_LANGUAGES = frozenset({"en", "de", "es", "it", "pt"})

_OUTSIDE_BMP = re.compile("[\U00010000-\U0010ffff]")


class SentenceSplitter:
    """Ends of the sentences of a text.

    >>> SentenceSplitter("en").ends("Mr. Who came. He left.")
    [14, 22]
    """

    def __init__(self, language: str) -> None:
        locale = f"{language}@ss=standard" if language in SUPPRESSED_LANGUAGES else language
        self._iterator = icu.BreakIterator.createSentenceInstance(icu.Locale(locale))

    def ends(self, text: str) -> list[int]:
        """Character offsets of the ends; white space belongs to the sentence before it."""
        self._iterator.setText(text)
        ends = list(self._iterator)
        return ends if text.isascii() else in_characters(text, ends)


def in_characters(text: str, offsets: list[int]) -> list[int]:
    """Character offsets of offsets in UTF-16 units, in which ICU counts.

    A character outside the basic plane is two units.

    >>> in_characters("a😀b", [1, 3, 4])
    [1, 2, 3]
    """
    wide = [match.start() + number for number, match in enumerate(_OUTSIDE_BMP.finditer(text))]
    return [offset - bisect_left(wide, offset) for offset in offsets] if wide else offsets
