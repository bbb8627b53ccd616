"""Fold the case of mentions and mark word boundaries, so that mentions can be found as substrings.

Both functions work on plain strings: `fold` keeps the number of characters, so offsets in folded
text are offsets in the text; `mark` puts a mark where a mention may begin or end, so a marked
mention is found in marked text exactly where it stands as whole words.

Case is folded (``The BBC`` and ``the bbc`` are one mention), accents are kept: they tell words
apart in most of the languages.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np

MARK = "\x01"

_TURKISH = str.maketrans({"I": "ı", "İ": "i"})
# Typographic variants that anchors and running text use at random.
_VARIANTS = {"’": "'", "ʼ": "'", "\u00a0": " ", "\u202f": " ", "\u3000": " ", "ς": "σ"}

# Scripts without spaces between words: a mention may begin and end at any character.
_UNSPACED_RANGES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x312F),  # radicals, kana, Bopomofo
    (0x31A0, 0x9FFF),  # kana and Han extensions, Han
    (0xF900, 0xFAFF),  # Han, compatibility
    (0xFF66, 0xFF9F),  # halfwidth kana
)
# Beyond this plane come Han extensions and, far behind, tags and private use.
_TABLE_SIZE = 0x20000
_OTHER, _WORD, _UNSPACED, _COMBINING = range(4)


def fold(text: str, language: str) -> str:
    """``text`` in lower case by the rules of the language, with the same number of characters.

    >>> fold("Istanbul’da", "tr"), fold("İSTANBUL", "tr"), fold("ΟΔΟΣ", "el")
    ("ıstanbul'da", 'istanbul', 'οδοσ')
    """
    if text.isascii() and language != "tr":
        return text.lower()
    if language == "tr":
        text = text.translate(_TURKISH)
    folded = text.lower()
    if len(folded) != len(text):
        # Some letters have a lower case of two characters: those stay as they are.
        folded = "".join(lower if len(lower := letter.lower()) == 1 else letter for letter in text)
    for variant, usual in _VARIANTS.items():
        folded = folded.replace(variant, usual)
    return folded


def normalize_mention(anchor: str, language: str) -> str:
    """An anchor as the mention tables hold it: folded, white space collapsed.

    >>> normalize_mention(" The  Beatles", "en")
    'the beatles'
    """
    return " ".join(fold(anchor, language).split())


def mark(text: str) -> str:
    """``text`` with a mark at its ends and wherever a mention may begin or end.

    >>> mark("a cat").replace(MARK, "|"), mark("東京 x").replace(MARK, "|")
    ('|a| |cat|', '|東|京| |x|')
    """
    return mark_with_offsets(text)[0]


def mark_with_offsets(text: str) -> tuple[str, np.ndarray]:
    """Marked text, and for each of its characters the offset in ``text`` where it stands.

    A mark has the offset of the character behind it.
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    if not len(codes):
        return MARK, np.zeros(1, np.int64)
    boundary = np.concatenate(([True], boundaries(codes)))
    places = np.arange(len(codes)) + np.cumsum(boundary)
    marked = np.full(len(codes) + int(boundary.sum()) + 1, ord(MARK), np.uint32)
    marked[places] = codes
    offsets = np.empty(len(marked), np.int64)
    offsets[places] = np.arange(len(codes))
    offsets[places[boundary] - 1] = np.flatnonzero(boundary)
    offsets[-1] = len(codes)
    return marked.tobytes().decode("utf-32-le", "surrogatepass"), offsets


def boundaries(codes: np.ndarray) -> np.ndarray:
    """Whether a mention may begin and end between each character and the next.

    Args:
        codes: code points of n characters, n > 0.

    Returns:
        n - 1 truth values.
    """
    kinds = _kinds().take(codes, mode="clip")
    inside_word = (kinds[:-1] == _WORD) | (kinds[:-1] == _COMBINING)
    return ~((inside_word & (kinds[1:] == _WORD)) | (kinds[1:] == _COMBINING))


@cache
def _kinds() -> np.ndarray:
    """Kind of every character of the first two planes."""
    kinds = np.full(_TABLE_SIZE, _OTHER, np.uint8)
    for code in range(_TABLE_SIZE):
        character = chr(code)
        if character.isalnum():
            kinds[code] = _WORD
        elif unicodedata.category(character)[0] == "M":
            kinds[code] = _COMBINING
    for first, last in _UNSPACED_RANGES:
        part = kinds[first : last + 1]
        part[part == _WORD] = _UNSPACED
    # The last entry stands for everything behind the table.
    kinds[-1] = _UNSPACED
    return kinds
