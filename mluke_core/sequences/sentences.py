"""Sentences of a text by the rules of its language (ICU)."""

from __future__ import annotations

import re

import icu

# Languages for which ICU knows abbreviations that end no sentence ("Mr.", "z.B."), as the authors
# used them.
SUPPRESSED_LANGUAGES = frozenset({"en", "de", "es", "it", "pt"})

# ICU counts UTF-16 units, Python characters: they agree once every character outside the basic
# plane is replaced by one inside it that behaves alike at the ends of sentences.
_OUTSIDE_BMP = re.compile("[\U00010000-\U0010ffff]")
_LETTER, _OTHER = "文", "\ufffd"


def _stand_in(match: re.Match[str]) -> str:
    return _LETTER if match[0].isalpha() else _OTHER


def inside_bmp(text: str) -> str:
    """``text`` with every character outside the basic plane replaced, one for one."""
    return text if text.isascii() else _OUTSIDE_BMP.sub(_stand_in, text)


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
        self._iterator.setText(inside_bmp(text))
        return list(self._iterator)
