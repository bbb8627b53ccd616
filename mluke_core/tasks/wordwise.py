"""Tokens and their characters, every distinct word tokenized once.

The tokenizers of XLM-R and BERT cut a text at white space before anything else, so a text is the
sum of its words, and most words of a corpus have been seen before. Where that does not hold (a
byte-level vocabulary, characters that join over a space) the text is tokenized as a whole.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate

import numpy as np

from mluke_core.sequences.segments import WORD_START, SentencePieceSegmenter
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks.base import IntArray

_WORD = re.compile(r"\S+")
_MOST_KEPT = 200_000

# Categories of characters that may form one unit with a space beside them.
_JOINING = ("M", "Cf")
_EMOJI_MODIFIERS = range(0x1F3FB, 0x1F400)

_PROBE = "Ein Haus , »two«  words\u00a0and\u3000more\tin (1) line.\n— 漢字 x"

Tokens = tuple[IntArray, IntArray, IntArray]


class WordwiseTokenizer:
    """The same tokens as ``tokenizer.encode``, with the characters of each."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._pieces: dict[int, str] = {}
        self._known: dict[str, tuple[list[int], list[int], list[int]] | None] = {}
        self._by_words = True
        whole = self._whole(_PROBE)
        parts = self.encode(_PROBE)
        self._by_words = all(np.array_equal(*pair) for pair in zip(whole, parts, strict=True))

    def encode(self, text: str) -> Tokens:
        """Word ids, first characters, and characters after the last, each of one length."""
        if not self._by_words:
            return self._whole(text)
        places = [match.span() for match in _WORD.finditer(text)]
        words = [text[start:end] for start, end in places]
        known = self._known
        if len(known) > _MOST_KEPT:
            known.clear()
        new = [word for word in dict.fromkeys(words) if word not in known]
        if new:
            self._learn(new)
        parts = [known[word] for word in words]
        ids: list[int] = []
        starts: list[int] = []
        ends: list[int] = []
        for part in parts:
            if part is None:
                return self._whole(text)
            ids += part[0]
            starts += part[1]
            ends += part[2]
        counts = [len(part[0]) for part in parts if part is not None]
        shift = np.repeat(np.array([start for start, _ in places], dtype=np.int64), counts)
        return (
            np.array(ids, dtype=np.int64),
            np.array(starts, dtype=np.int64) + shift,
            np.array(ends, dtype=np.int64) + shift,
        )

    def _learn(self, words: list[str]) -> None:
        """Tokenize new words, each as if it stood alone."""
        for word in words:
            self._known[word] = None
        alone = [word for word in words if not (_joins(word[0]) or _joins(word[-1]))]
        rest = self._by_pieces(alone)
        if not rest:
            return
        encoding = self._tokenizer.encode(" ".join(rest))
        token, begin = 0, 0
        for word in rest:
            first, end = token, begin + len(word)
            while token < len(encoding.ids) and encoding.offsets[token][0] < end:
                token += 1
            offsets = encoding.offsets[first:token]
            self._known[word] = (
                encoding.ids[first:token],
                [start - begin for start, _ in offsets],
                [stop - begin for _, stop in offsets],
            )
            begin = end + 1

    def _by_pieces(self, words: list[str]) -> list[str]:
        """Learn the words that are, letter by letter, the sum of their pieces; return the others.

        SentencePiece itself is quicker than what gives offsets, and where nothing was normalised
        away the lengths of the pieces are the offsets.
        """
        segmenter = self._tokenizer.segmenter
        if not isinstance(segmenter, SentencePieceSegmenter):
            return words
        others = []
        texts = self._pieces
        for word in words:
            ids = segmenter.encode(word, "")
            for number in ids:
                if number not in texts:
                    texts[number] = segmenter.token_of(number)
            pieces = [texts[number] for number in ids]
            if "".join(pieces) != WORD_START + word:
                others.append(word)
                continue
            ends = list(accumulate(map(len, pieces), initial=-1))
            starts = [0, *ends[1:-1]]
            # The mark of a word's start, when it is a token, is given the first character.
            ends[1] = max(ends[1], 1)
            self._known[word] = ids, starts, ends[1:]
        return others

    def _whole(self, text: str) -> Tokens:
        encoding = self._tokenizer.encode(text)
        offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        return np.array(encoding.ids, dtype=np.int64), offsets[:, 0], offsets[:, 1]


def _joins(character: str) -> bool:
    return (
        unicodedata.category(character).startswith(_JOINING) or ord(character) in _EMOJI_MODIFIERS
    )
