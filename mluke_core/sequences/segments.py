"""Encode pieces of a text that was cut at mention boundaries, as if it had not been cut.

A piece that begins inside a word must not get the mark of a word's start (``▁`` of SentencePiece,
``Ġ`` of byte-level BPE), or must get the mark of a word's continuation (``##`` of WordPiece). The
tokenizers know no such switch at run time, so each class here holds what its kind needs for it.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from functools import cache
from itertools import compress
from operator import not_
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import orjson

from mluke_core.errors import DataError

if TYPE_CHECKING:
    import tokenizers

# XLM-R (fairseq) keeps SentencePiece's order but puts <s> <pad> </s> <unk> in front of it where
# SentencePiece has <unk> <s> </s>: every ordinary piece moves up by one.
FAIRSEQ_OFFSET = 1
FAIRSEQ_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
FAIRSEQ_UNK_ID = 3
FIRST_ORDINARY_PIECE = 3

WORD_START = "\u2581"

# Characters that are no white space for Python, but which XLM-R's normalisation turns into one:
# direction and joining marks, the zero width space, the replacement character.
_SPACES_OF_SENTENCEPIECE = frozenset("\u061c\u200b\u200c\u200e\u200f\u2581\ufeff\ufffd")
_LAST_SPACE = 0x3000
# What a word starts after; the empty string stands for the start of a text.
_SPACES = (
    frozenset(character for character in map(chr, range(_LAST_SPACE + 1)) if character.isspace())
    | _SPACES_OF_SENTENCEPIECE
    | {""}
)


def is_space(character: str) -> bool:
    """Whether a word starts after this character; the empty string is the start of a text."""
    return character in _SPACES


class Segmenter(Protocol):
    """Encodes a piece of a text."""

    def encode(self, segment: str, before: str) -> list[int]:
        """Ids of ``segment``, which follows the character ``before`` (empty: the text starts)."""
        ...

    def encode_many(self, segments: list[str], before: list[str]) -> list[list[int]]:
        """Tokens of many pieces, in numbers of the model's own where those are quicker to get."""
        ...

    def to_ids(self, raw: np.ndarray) -> np.ndarray:
        """Word ids (int32) of numbers that ``encode_many`` gave."""
        ...

    def text_of(self, tokens: list[str]) -> str:
        """The text that tokens stand for, with a blank before every word that they start."""
        ...


class SentencePieceSegmenter:
    """The SentencePiece model of an XLM-R tokenizer, with fairseq's ids.

    The model is held twice: as it is, and without the dummy space that it puts before every text.
    """

    def __init__(self, path: Path) -> None:
        import sentencepiece

        content = path.read_bytes()
        self._starting = sentencepiece.SentencePieceProcessor()
        self._continuing = sentencepiece.SentencePieceProcessor()
        try:
            self._starting.LoadFromSerializedProto(content)
            self._continuing.LoadFromSerializedProto(without_dummy_prefix(content))
        except (RuntimeError, ValueError, TypeError) as error:
            raise DataError(f"{path}: not a SentencePiece model ({error}).") from None
        pieces = [self._starting.IdToPiece(i) for i in range(min(3, self._starting.GetPieceSize()))]
        if pieces != ["<unk>", "<s>", "</s>"]:
            raise DataError(
                f"{path}: its first pieces are {pieces}; a model in the XLM-R layout starts with "
                "<unk>, <s>, </s>."
            )
        self.size: int = self._starting.GetPieceSize()

    def encode(self, segment: str, before: str) -> list[int]:
        """Ids of ``segment``, which follows the character ``before``."""
        starts = is_space(before) or is_space(segment[:1])
        encode = self._starting if starts else self._continuing
        return [
            piece + FAIRSEQ_OFFSET if piece else FAIRSEQ_UNK_ID
            for piece in encode.EncodeAsIds(segment)
        ]

    def encode_many(self, segments: list[str], before: list[str]) -> list[list[int]]:
        """SentencePiece's own numbers of the pieces of many segments.

        One call for thousands of segments takes half the time of a call for each.
        """
        starts = [
            previous in _SPACES or segment[:1] in _SPACES
            for segment, previous in zip(segments, before, strict=True)
        ]
        # With more threads the library starts a pool of them in every call.
        starting = iter(self._starting.Encode(list(compress(segments, starts)), num_threads=1))
        others = list(compress(segments, map(not_, starts)))
        continuing = iter(self._continuing.Encode(others, num_threads=1))
        return [next(starting) if start else next(continuing) for start in starts]

    def to_ids(self, raw: np.ndarray) -> np.ndarray:
        """Fairseq ids of SentencePiece's numbers."""
        return np.where(raw == 0, FAIRSEQ_UNK_ID, raw + FAIRSEQ_OFFSET).astype(np.int32)

    def text_of(self, tokens: list[str]) -> str:
        """The text that tokens stand for, with a blank before every word that they start."""
        return "".join(tokens).replace(WORD_START, " ")

    def id_of(self, token: str) -> int | None:
        """Fairseq id of a piece or special token, or None."""
        if token in FAIRSEQ_SPECIAL:
            return FAIRSEQ_SPECIAL.index(token)
        if token == "<mask>":
            return self.size + FAIRSEQ_OFFSET
        piece = self._starting.PieceToId(token)
        return piece + FAIRSEQ_OFFSET if piece >= FIRST_ORDINARY_PIECE else None

    def token_of(self, token_id: int) -> str:
        """The piece or special token with this fairseq id."""
        if 0 <= token_id < len(FAIRSEQ_SPECIAL):
            return FAIRSEQ_SPECIAL[token_id]
        if token_id == self.size + FAIRSEQ_OFFSET:
            return "<mask>"
        if not 0 <= token_id < self.size + FAIRSEQ_OFFSET:
            raise DataError(f"no token with id {token_id}: the tokenizer has {self.size + 2}.")
        return self._starting.IdToPiece(token_id - FAIRSEQ_OFFSET)


class _WithoutRaw(ABC):
    """For tokenizers whose own numbers are the word ids."""

    @abstractmethod
    def encode(self, segment: str, before: str) -> list[int]:
        """Ids of ``segment``, which follows the character ``before``."""

    def encode_many(self, segments: list[str], before: list[str]) -> list[list[int]]:
        """Word ids of many segments."""
        return list(map(self.encode, segments, before))

    def to_ids(self, raw: np.ndarray) -> np.ndarray:
        """The same numbers as int32."""
        return raw.astype(np.int32)


class JsonSegmenter(_WithoutRaw):
    """Any ``tokenizer.json`` that marks the start of words: Metaspace or byte-level BPE."""

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        description = backend.to_str()
        self._has_bytes = '"ByteLevel"' in description
        # SentencePiece's table of normalisation turns some more characters into blanks.
        extra = _SPACES_OF_SENTENCEPIECE if '"Precompiled"' in description else ()
        self._space = re.compile(rf"[\s{''.join(sorted(extra))}]+")
        self._first = variant(backend)
        self._starting = variant(backend, word_start=True)
        self._continuing = variant(backend, word_start=False)

    def encode(self, segment: str, before: str) -> list[int]:
        """Ids of ``segment``, which follows the character ``before``."""
        words = self._space.split(segment)
        starts = not before or not words[0] or self._space.fullmatch(before) is not None
        words = [word for word in words if word]
        if not words:
            return []
        if starts:
            starting = self._starting if before else self._first
            return starting.encode(" ".join(words), add_special_tokens=False).ids
        ids = self._continuing.encode(words[0], add_special_tokens=False).ids
        if len(words) > 1:
            ids += self._starting.encode(" ".join(words[1:]), add_special_tokens=False).ids
        return ids

    def text_of(self, tokens: list[str]) -> str:
        """The text that tokens stand for, with a blank before every word that they start."""
        text = "".join(tokens)
        if not self._has_bytes:
            return text.replace(WORD_START, " ")
        codes = byte_codes()
        content = b"".join(
            bytes([codes[character]]) if character in codes else character.encode()
            for character in text
        )
        return content.decode(errors="replace")


class WordPieceSegmenter(_WithoutRaw):
    """BERT's WordPiece: a segment that goes on with a word is looked up with ``##`` in front."""

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        self._backend = variant(backend)
        model: Any = backend.model
        self._prefix: str = model.continuing_subword_prefix
        self._longest: int = model.max_input_chars_per_word
        self._unk_id: int = model.token_to_id(model.unk_token)

    def encode(self, segment: str, before: str) -> list[int]:
        """Ids of ``segment``, which follows the character ``before``."""
        if not segment or is_space(before) or not self._goes_on(before + segment[0]):
            return self._backend.encode(segment, add_special_tokens=False).ids
        normalised = self._backend.normalizer.normalize_str(before + segment)
        _, (_, end) = self._backend.pre_tokenizer.pre_tokenize_str(normalised)[0]
        head, rest = normalised[len(before) : end], normalised[end:]
        return self._continue(head) + self._backend.encode(rest, add_special_tokens=False).ids

    def text_of(self, tokens: list[str]) -> str:
        """The text that tokens stand for, with a blank before every word that they start."""
        return "".join(
            token.removeprefix(self._prefix) if token.startswith(self._prefix) else f" {token}"
            for token in tokens
        )

    def _goes_on(self, pair: str) -> bool:
        """Whether BERT keeps these two characters in one word."""
        normalised = self._backend.normalizer.normalize_str(pair)
        words = self._backend.pre_tokenizer.pre_tokenize_str(normalised)
        return len(words) == 1 and len(words[0][0]) == len(pair) and normalised == pair

    def _continue(self, word: str) -> list[int]:
        """Greedy longest match of ``word``, every piece with the continuation mark."""
        if len(word) > self._longest:
            return [self._unk_id]
        ids: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                token_id = self._backend.token_to_id(self._prefix + word[start:end])
                if token_id is not None:
                    ids.append(token_id)
                    start = end
                    break
            else:
                return [self._unk_id]
        return ids


@cache
def byte_codes() -> dict[str, int]:
    """The byte that each character of a byte-level vocabulary stands for (GPT-2's encoder.py).

    Printable bytes of Latin-1 stand for themselves, the others are characters from 256 on.

    >>> byte_codes()["A"], byte_codes()["Ġ"]
    (65, 32)
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(0x100 + i): byte for i, byte in enumerate(others)
    }


def without_dummy_prefix(content: bytes) -> bytes:
    """A serialized SentencePiece model that adds no space before a text."""
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise ValueError(str(error)) from None
    model.normalizer_spec.add_dummy_prefix = False
    return model.SerializeToString()


def variant(backend: tokenizers.Tokenizer, word_start: bool | None = None) -> tokenizers.Tokenizer:
    """The same tokenizer, blind to special tokens that stand in a text.

    With ``word_start`` the first word does (True) or does not (False) get the mark of a word's
    start, whatever the tokenizer does by default.
    """
    import tokenizers

    description = orjson.loads(backend.to_str())
    special = {token["content"] for token in description["added_tokens"] if token["special"]}
    description["added_tokens"] = []
    if description["model"]["type"] == "Unigram":
        # Such a model holds its special tokens as pieces like any other. Text has no blank when
        # it gets to the model, so a piece with a blank is never found.
        for entry in description["model"]["vocab"]:
            if entry[0] in special:
                entry[0] = " " + entry[0]
    if word_start is not None:
        for part in ("normalizer", "pre_tokenizer"):
            description[part] = _with_word_start(description[part], word_start)
    return tokenizers.Tokenizer.from_str(orjson.dumps(description).decode())


def _with_word_start(part: Any, word_start: bool) -> Any:
    """A normalizer or pre-tokenizer (as JSON) that does or does not mark the first word."""
    if not isinstance(part, dict):
        return part
    part = dict(part)
    if part.get("type") == "Metaspace":
        part["prepend_scheme"] = "always" if word_start else "never"
    elif part.get("type") == "ByteLevel" and "add_prefix_space" in part:
        part["add_prefix_space"] = word_start
    elif part.get("type") == "Prepend" and not word_start:
        return {"type": "Sequence", "normalizers": []}
    for key in ("normalizers", "pretokenizers"):
        if key in part:
            part[key] = [_with_word_start(item, word_start) for item in part[key]]
    return part
