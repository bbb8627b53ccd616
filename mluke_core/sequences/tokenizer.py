"""One interface over the tokenizers of the backbones.

A tokenizer is a folder with ``tokenizer.json`` and ``special_tokens_map.json``, as
`build_tokenizer` writes it. Text with character offsets always goes through ``tokenizer.json``.
Text that is cut at mention boundaries goes through the SentencePiece model itself when the folder
holds one: the same ids, five times as fast.

    >>> tokenizer = Tokenizer.load("results/mini/tokenizers/xlmr")     # doctest: +SKIP
    >>> tokenizer.encode("Hello world!").ids                           # doctest: +SKIP
    [35378, 8999, 38]
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mluke_core.errors import DataError
from mluke_core.io.files import file_digest, read_json
from mluke_core.sequences.segments import (
    JsonSegmenter,
    Segmenter,
    SentencePieceSegmenter,
    WordPieceSegmenter,
    variant,
)

if TYPE_CHECKING:
    import tokenizers

TOKENIZER_FILE = "tokenizer.json"
SPECIAL_TOKENS_FILE = "special_tokens_map.json"
SENTENCEPIECE_FILE = "sentencepiece.bpe.model"

# The names that models give to the five special tokens, where special_tokens_map.json is absent.
_USUAL_NAMES = {
    "bos_token": ("<s>", "[CLS]", "<|endoftext|>"),
    "eos_token": ("</s>", "[SEP]", "<|endoftext|>"),
    "pad_token": ("<pad>", "[PAD]"),
    "mask_token": ("<mask>", "[MASK]"),
    "unk_token": ("<unk>", "[UNK]", "<|endoftext|>"),
}
# BERT calls its first and last token by other names than XLM-R.
_SYNONYMS = {"bos_token": "cls_token", "eos_token": "sep_token"}


@dataclass(frozen=True, slots=True)
class Encoding:
    """Tokens of one text, without special tokens."""

    ids: list[int]
    """Word ids."""
    offsets: list[tuple[int, int]]
    """Per token, its characters in the original text, end exclusive."""


class Tokenizer:
    """Text to word ids, with character offsets or with token spans of given character spans.

    Attributes:
        folder: where the files are.
        bos_id, eos_id, pad_id, mask_id, unk_id: the special tokens (BERT: ``[CLS]``, ``[SEP]``,
            ``[PAD]``, ``[MASK]``, ``[UNK]``).
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not (self.folder / TOKENIZER_FILE).exists():
            raise DataError(
                f"{self.folder}: no {TOKENIZER_FILE} in it. Make the folder with "
                "workflow_scripts/build_tokenizer.py."
            )
        names = special_tokens(self.folder)
        self._special_ids = {key: self.id_of(token) for key, token in names.items()}
        for key, token in names.items():
            if self._special_ids[key] is None:
                raise DataError(
                    f"{self.folder / SPECIAL_TOKENS_FILE}: {key} is {token!r}, which "
                    f"{TOKENIZER_FILE} does not have. The two files are of different tokenizers."
                )
        self.bos_id = self._special("bos_token")
        self.eos_id = self._special("eos_token")
        self.pad_id = self._special("pad_token")
        self.mask_id = self._special("mask_token")
        self.unk_id = self._special("unk_token")

    @classmethod
    def load(cls, folder: str | Path) -> Tokenizer:
        """The tokenizer in ``folder`` (``tokenizers/<name>`` or ``pretrained/<model>``)."""
        return cls(folder)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of ``tokenizer.json``."""
        return file_digest(self.folder / TOKENIZER_FILE)

    @cached_property
    def vocabulary_size(self) -> int:
        """Number of word ids, special tokens included."""
        if self._pieces is not None:
            # <pad> and <mask> are not in the SentencePiece model.
            return self._pieces.size + 2
        return self._backend.get_vocab_size(with_added_tokens=True)

    def id_of(self, token: str) -> int | None:
        """Id of a token as it is written in the vocabulary (``"▁Hello"``), or None."""
        if self._pieces is not None:
            return self._pieces.id_of(token)
        return self._backend.token_to_id(token)

    def token_of(self, token_id: int) -> str:
        """The token with this id, as the vocabulary writes it."""
        if self._pieces is not None:
            return self._pieces.token_of(token_id)
        token = self._backend.id_to_token(token_id)
        if token is None:
            raise DataError(f"{self.folder}: no token with id {token_id}.")
        return token

    def text_of(self, ids: Sequence[int]) -> str:
        """The text that word ids stand for, with a blank before every word that they start.

        As much of it as the tokens tell: normalised, unknown characters as the unknown token, and
        with WordPiece a blank around every punctuation mark.
        """
        return self.segmenter.text_of([self.token_of(token_id) for token_id in ids])

    def encode(self, text: str) -> Encoding:
        """Tokens of ``text`` with their characters; names of special tokens count as text."""
        literal = self._special_pattern.search(text) is not None
        backend = self._literal_backend if literal else self._backend
        encoding = backend.encode(text, add_special_tokens=False)
        return Encoding(encoding.ids, with_marks(text, encoding.offsets))

    def encode_batch(self, texts: Sequence[str]) -> list[Encoding]:
        """:meth:`encode` of many texts at once, on all threads the library may use."""
        if any(map(self._special_pattern.search, texts)):
            return [self.encode(text) for text in texts]
        encodings = self._backend.encode_batch(list(texts), add_special_tokens=False)
        return [
            Encoding(encoding.ids, with_marks(text, encoding.offsets))
            for text, encoding in zip(texts, encodings, strict=True)
        ]

    def encode_with_spans(
        self, text: str, spans: Sequence[tuple[int, int]]
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """Tokens of ``text`` cut at the spans' boundaries, and the tokens of each span.

        No token crosses a boundary, and a cut inside a word gives no word-start mark (``▁``) to
        what follows it. Spans may nest, overlap and be empty.

        Args:
            text: the text.
            spans: character offsets (start, end), end exclusive.

        Returns:
            ids: word ids without special tokens.
            token_spans: per span its (start, end) in ``ids``, end exclusive; start equals end
                when the span has no tokens.

        Raises:
            DataError: when a span is not inside the text.
        """
        for start, end in spans:
            if not 0 <= start <= end <= len(text):
                raise DataError(
                    f"span ({start}, {end}) is not inside a text of {len(text)} characters."
                )
        cuts = sorted({0, len(text), *(cut for span in spans for cut in span)})
        ids: list[int] = []
        token_at = {0: 0}
        encode = self.segmenter.encode
        for start, end in pairwise(cuts):
            ids += encode(text[start:end], text[start - 1] if start else "")
            token_at[end] = len(ids)
        return ids, [(token_at[start], token_at[end]) for start, end in spans]

    @cached_property
    def segmenter(self) -> Segmenter:
        """The part that encodes a piece of text given the character before it."""
        if self._pieces is not None:
            return self._pieces
        if type(self._backend.model).__name__ == "WordPiece":
            return WordPieceSegmenter(self._backend)
        return JsonSegmenter(self._backend)

    @cached_property
    def _backend(self) -> tokenizers.Tokenizer:
        return load_backend(self.folder / TOKENIZER_FILE)

    @cached_property
    def _literal_backend(self) -> tokenizers.Tokenizer:
        """For texts that hold the name of a special token: a second copy, made when needed."""
        return variant(self._backend)

    @cached_property
    def _special_pattern(self) -> re.Pattern[str]:
        names = {token.content for token in self._backend.get_added_tokens_decoder().values()}
        return re.compile("|".join(map(re.escape, sorted(names))) or r"(?!)")

    @cached_property
    def _pieces(self) -> SentencePieceSegmenter | None:
        path = self.folder / SENTENCEPIECE_FILE
        return SentencePieceSegmenter(path) if path.exists() else None

    def _special(self, key: str) -> int:
        token_id = self._special_ids.get(key)
        if token_id is None:
            raise DataError(
                f"{self.folder / SPECIAL_TOKENS_FILE}: no {key}, and none of the usual names "
                f"for it ({', '.join(_USUAL_NAMES[key])}) is in the vocabulary."
            )
        return token_id


def with_marks(text: str, offsets: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Offsets that hold all of the characters that were composed into one.

    Normalisation makes ``é`` of ``e`` and a combining accent, and the library then counts the
    ``e`` alone. Marks and letters (jamo) between two tokens can only be such left-overs.

    >>> with_marks("cafe\u0301 x", [(0, 4), (6, 7)])
    [(0, 5), (6, 7)]
    """
    if text.isascii():
        return offsets
    following = [start for start, _ in offsets[1:]] + [len(text)]
    result = []
    for (start, end), limit in zip(offsets, following, strict=False):
        while 0 < end < limit and unicodedata.category(text[end])[0] in "ML":
            end += 1
        result.append((start, end))
    return result


def load_backend(path: str | Path) -> tokenizers.Tokenizer:
    """Read ``tokenizer.json``, without truncation and padding."""
    import tokenizers

    try:
        backend = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise DataError(f"{path}: not a tokenizer that can be read ({error}).") from None
    backend.no_padding()
    backend.no_truncation()
    return backend


def special_tokens(folder: Path) -> dict[str, str]:
    """The tokens called ``bos_token``, ``eos_token``, ``pad_token``, ``mask_token``, ``unk_token``.

    Taken from ``special_tokens_map.json`` or ``tokenizer_config.json``; BERT's ``cls_token`` and
    ``sep_token`` stand for the first and last token. Without either file, the usual names that
    the vocabulary has.
    """
    entries: dict[str, Any] = {}
    for name in ("tokenizer_config.json", SPECIAL_TOKENS_FILE):
        if (folder / name).exists():
            entries |= read_json(folder / name)
    found: dict[str, str] = {}
    for key in _USUAL_NAMES:
        entry = entries.get(key) or entries.get(_SYNONYMS.get(key, ""))
        if isinstance(entry, dict):
            entry = entry.get("content")
        if isinstance(entry, str):
            found[key] = entry
    missing = [key for key in _USUAL_NAMES if key not in found]
    if missing:
        backend = load_backend(folder / TOKENIZER_FILE)
        for key in missing:
            known = _first_known(backend, _USUAL_NAMES[key])
            if known is not None:
                found[key] = known
    return found


def _first_known(backend: tokenizers.Tokenizer, names: Iterable[str]) -> str | None:
    return next((name for name in names if backend.token_to_id(name) is not None), None)
