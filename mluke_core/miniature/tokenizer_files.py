"""A small SentencePiece tokenizer in the layout of XLM-R, trained on the miniature world's text.

XLM-R takes fairseq's ids: ``<s>`` 0, ``<pad>`` 1, ``</s>`` 2, ``<unk>`` 3, then the pieces of the
SentencePiece model at their own id + 1, and ``<mask>`` last.
"""

from __future__ import annotations

import base64
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import sentencepiece
from ahocorasick_rs import AhoCorasick, MatchKind
from sentencepiece import sentencepiece_model_pb2

from mluke_core.io.files import write_json

VOCABULARY_SIZE = 8000
"""Pieces of the SentencePiece model at most, control symbols included. With 6000 the trainer gives
up names in Chinese and Japanese letter by letter."""

MAXIMUM_PIECE_LENGTH = 12
PIECE_BREAK = "¦"
"""Where a text holds this sign, no piece crosses; it is for training only."""

FREQUENT = 5
MINIMUM_NAME_LENGTH = 2
FIRST_EAST_ASIAN = "\u2e80"
"""From here on Unicode has the scripts that write without spaces."""

SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>")
_PUNCTUATION = re.compile(r"([^\w\s¦])")
_FIRST_PIECE = 3  # ids 0-2 of the model are <unk>, <s>, </s>


def write_tokenizer(folder: Path, texts: Iterable[str], names: Iterable[str]) -> None:
    """Train on ``texts`` and write the files that a Hub folder of XLM-R has, weights apart.

    Args:
        folder: ``huggingface.co/FacebookAI/xlm-roberta-base/resolve/main``; made when missing.
        texts: all text that the tokenizer must be able to write; their order matters.
        names: of entities; no piece runs across the ends of one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = train(texts, names)
    (folder / "sentencepiece.bpe.model").write_bytes(model)
    proto = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    proto.ParseFromString(model)
    write_json(folder / "tokenizer.json", tokenizer_json(proto))
    write_json(folder / "tokenizer_config.json", _TOKENIZER_CONFIG)
    write_json(folder / "config.json", {**_CONFIG, "vocab_size": len(proto.pieces) + 2})


def train(texts: Iterable[str], names: Iterable[str]) -> bytes:
    """A unigram model with NFKC normalisation, the same bytes for the same texts."""
    buffer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(list(_sentences(texts, names))),
        model_writer=buffer,
        model_type="unigram",
        vocab_size=VOCABULARY_SIZE,
        hard_vocab_limit=False,
        character_coverage=1.0,
        normalization_rule_name="nmt_nfkc",
        max_sentencepiece_length=MAXIMUM_PIECE_LENGTH,
        pretokenization_delimiter=PIECE_BREAK,
        split_digits=True,
        shuffle_input_sentence=False,
        num_threads=1,
        minloglevel=2,
    )
    return buffer.getvalue()


def _sentences(texts: Iterable[str], names: Iterable[str]) -> Iterator[str]:
    """``texts`` with breaks around punctuation and names.

    The text is repetitive: without breaks whole phrases would become pieces, and what a question
    asks for would lie within a piece. Each frequent word is repeated on a line of its own,
    because the trainer only considers strings that are seen with more than one continuation;
    rare words would take the place of frequent names.
    """
    words: Counter[str] = Counter()
    patterns = sorted(name for name in names if len(name) >= MINIMUM_NAME_LENGTH)
    automaton = AhoCorasick(patterns, matchkind=MatchKind.LeftmostLongest)
    for text in texts:
        parts, end = [], 0
        for _, start, stop in automaton.find_matches_as_indexes(text):
            if _within_word(text, start) or _within_word(text, stop):
                continue
            # A space belongs to the piece behind it.
            start -= start > end and text[start - 1] == " "
            parts += [text[end:start], text[start:stop]]
            end = stop
        parts.append(text[end:])
        broken = PIECE_BREAK.join(parts)
        broken = _PUNCTUATION.sub(rf"{PIECE_BREAK}\1{PIECE_BREAK}", broken)
        words.update(broken.replace(PIECE_BREAK, " ").split())
        yield broken
    for word, count in words.items():
        if count >= FREQUENT and 1 < len(word) <= MAXIMUM_PIECE_LENGTH:
            yield f"{word} {word}"


def _within_word(text: str, position: int) -> bool:
    """Whether letters of a script that parts words by spaces stand on both sides."""
    pair = text[max(position - 1, 0) : position + 1]
    return len(pair) == 2 and all(c.isalpha() and c < FIRST_EAST_ASIAN for c in pair)


def tokenizer_json(proto: Any) -> dict[str, Any]:
    """The model as a ``tokenizers`` file.

    Args:
        proto: a parsed SentencePiece ``ModelProto``.
    """
    charsmap = proto.normalizer_spec.precompiled_charsmap
    vocabulary: list[tuple[str, float]] = [(token, 0.0) for token in SPECIAL_TOKENS]
    vocabulary += [(piece.piece, piece.score) for piece in proto.pieces[_FIRST_PIECE:]]
    vocabulary.append(("<mask>", 0.0))
    added = [*enumerate(SPECIAL_TOKENS), (len(vocabulary) - 1, "<mask>")]
    metaspace = {
        "type": "Metaspace",
        "replacement": "▁",
        "prepend_scheme": "always",
        "split": True,
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": number,
                "content": token,
                "single_word": False,
                "lstrip": token == "<mask>",
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for number, token in added
        ],
        "normalizer": {
            "type": "Precompiled",
            "precompiled_charsmap": base64.b64encode(charsmap).decode(),
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": _template("<s> A </s>"),
            "pair": _template("<s> A </s> </s> B </s>"),
            "special_tokens": {
                token: {"id": token, "ids": [number], "tokens": [token]}
                for number, token in ((0, "<s>"), (2, "</s>"))
            },
        },
        "decoder": metaspace,
        "model": {
            "type": "Unigram",
            "unk_id": SPECIAL_TOKENS.index("<unk>"),
            "vocab": vocabulary,
            "byte_fallback": False,
        },
    }


def _template(form: str) -> list[dict[str, Any]]:
    return [
        {"Sequence" if part in "AB" else "SpecialToken": {"id": part, "type_id": 0}}
        for part in form.split()
    ]


_TOKENIZER_CONFIG = {
    "tokenizer_class": "XLMRobertaTokenizer",
    "bos_token": "<s>",
    "cls_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
    "model_max_length": 512,
}

_CONFIG = {
    "architectures": ["XLMRobertaForMaskedLM"],
    "model_type": "xlm-roberta",
    "attention_probs_dropout_prob": 0.1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 514,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 1,
    "type_vocab_size": 1,
}
