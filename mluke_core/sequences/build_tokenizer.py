"""Make a tokenizer folder from the files that a model was published with.

Three kinds: ``sentencepiece`` (XLM-R: ``sentencepiece.bpe.model``, and ``tokenizer.json`` when the
source has it), ``wordpiece`` (BERT: ``vocab.txt``), and ``json`` (any ``tokenizer.json`` with its
``special_tokens_map.json`` or ``tokenizer_config.json``, such as a byte-level BPE).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from mluke_core.errors import DataError
from mluke_core.io.files import atomic_path, read_json, write_json
from mluke_core.io.sources import Source
from mluke_core.sequences.segments import (
    FAIRSEQ_OFFSET,
    FAIRSEQ_SPECIAL,
    FAIRSEQ_UNK_ID,
    FIRST_ORDINARY_PIECE,
    SentencePieceSegmenter,
)
from mluke_core.sequences.tokenizer import (
    SENTENCEPIECE_FILE,
    SPECIAL_TOKENS_FILE,
    TOKENIZER_FILE,
    Tokenizer,
    load_backend,
    special_tokens,
)

KINDS = ("sentencepiece", "wordpiece", "json")
VOCABULARY_FILE = "vocab.txt"
CONFIG_FILE = "tokenizer_config.json"
MODEL_MAX_LENGTH = 512  # positions of XLM-R and BERT

XLMR_SPECIAL = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "cls_token": "<s>",
    "mask_token": "<mask>",
}
BERT_SPECIAL = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}


def build_tokenizer(source: Source, kind: str, output: Path) -> None:
    """Write the tokenizer folder ``output`` from the files of ``source``.

    Raises:
        DataError: when a file is missing or damaged, or ``tokenizer.json`` and the SentencePiece
            model do not hold the same pieces under the same ids.
    """
    if kind not in KINDS:
        raise DataError(f"tokenizer kind {kind!r} is not known. Write one of: {', '.join(KINDS)}.")
    with atomic_path(output) as folder:
        folder.mkdir()
        if kind == "sentencepiece":
            _build_sentencepiece(source, folder)
        elif kind == "wordpiece":
            _build_wordpiece(source, folder)
        else:
            shutil.copyfile(source.file(TOKENIZER_FILE), folder / TOKENIZER_FILE)
            for name in (CONFIG_FILE, SPECIAL_TOKENS_FILE):
                if name in source:
                    shutil.copyfile(source.file(name), folder / name)
            load_backend(folder / TOKENIZER_FILE)
            _write_config(folder, special_tokens(folder), {})
        Tokenizer.load(folder).encode("Hello world!")


def _build_sentencepiece(source: Source, folder: Path) -> None:
    shutil.copyfile(source.file(SENTENCEPIECE_FILE), folder / SENTENCEPIECE_FILE)
    if TOKENIZER_FILE in source:
        shutil.copyfile(source.file(TOKENIZER_FILE), folder / TOKENIZER_FILE)
        check_same_pieces(folder)
    else:
        write_unigram(folder / SENTENCEPIECE_FILE, folder / TOKENIZER_FILE)
    _write_config(folder, XLMR_SPECIAL, {})


def _build_wordpiece(source: Source, folder: Path) -> None:
    shutil.copyfile(source.file(VOCABULARY_FILE), folder / VOCABULARY_FILE)
    write_wordpiece(folder / VOCABULARY_FILE, folder / TOKENIZER_FILE)
    # transformers would lowercase and strip accents when it rebuilds it from vocab.txt.
    extra = {
        "do_lower_case": False,
        "strip_accents": False,
        "tokenize_chinese_chars": True,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
    }
    _write_config(folder, BERT_SPECIAL, extra)


def _write_config(folder: Path, special: dict[str, str], extra: dict[str, Any]) -> None:
    config = {
        **special,
        **extra,
        "model_max_length": MODEL_MAX_LENGTH,
        # The class that takes tokenizer.json as it is, in transformers 4 and 5 alike.
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    write_json(folder / CONFIG_FILE, config)
    write_json(folder / SPECIAL_TOKENS_FILE, special)


def check_same_pieces(folder: Path) -> None:
    """Raise :class:`DataError` unless ``tokenizer.json`` has the pieces of the SentencePiece model.

    Piece ``i`` of the model must have the id ``i + 1``, as in every XLM-R checkpoint.
    """
    pieces = SentencePieceSegmenter(folder / SENTENCEPIECE_FILE)
    description = read_json(folder / TOKENIZER_FILE)
    vocabulary = description.get("model", {}).get("vocab")
    if not isinstance(vocabulary, list):
        raise DataError(
            f"{TOKENIZER_FILE}: not a Unigram model, which a SentencePiece model needs."
        )
    tokens = [token for token, _ in vocabulary]
    expected = [pieces.token_of(i) for i in range(pieces.size + FAIRSEQ_OFFSET)]
    expected.append("<mask>")
    if tokens == expected:
        return
    if len(tokens) != len(expected):
        raise DataError(
            f"{TOKENIZER_FILE} has {len(tokens)} tokens, {SENTENCEPIECE_FILE} needs "
            f"{len(expected)}. The two files are of different tokenizers: take both from one model."
        )
    wrong = next(i for i, token in enumerate(tokens) if token != expected[i])
    raise DataError(
        f"{TOKENIZER_FILE}: id {wrong} is {tokens[wrong]!r}, by {SENTENCEPIECE_FILE} it is "
        f"{expected[wrong]!r}. The two files are of different tokenizers: take both from one model."
    )


def write_unigram(model_path: Path, output: Path) -> None:
    """Write ``tokenizer.json`` of an XLM-R tokenizer from its SentencePiece model."""
    import tokenizers
    from sentencepiece import sentencepiece_model_pb2
    from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

    SentencePieceSegmenter(model_path)  # says what is wrong with a file that is no such model
    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    model.ParseFromString(model_path.read_bytes())
    vocabulary = [(token, 0.0) for token in FAIRSEQ_SPECIAL]
    vocabulary += [(piece.piece, piece.score) for piece in model.pieces[FIRST_ORDINARY_PIECE:]]
    vocabulary.append(("<mask>", 0.0))
    backend = tokenizers.Tokenizer(
        models.Unigram(vocabulary, unk_id=FAIRSEQ_UNK_ID, byte_fallback=False)
    )
    charsmap = model.normalizer_spec.precompiled_charsmap
    steps: list[Any] = [normalizers.Precompiled(charsmap)] if charsmap else []
    steps.append(normalizers.Replace(Regex(" {2,}"), " "))
    backend.normalizer = normalizers.Sequence(steps)
    metaspace = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
    backend.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    _add_special(backend, [*FAIRSEQ_SPECIAL, "<mask>"])
    _add_template(backend, "<s>", "</s>", "</s>")
    _save(backend, output)


def write_wordpiece(vocabulary_path: Path, output: Path) -> None:
    """Write ``tokenizer.json`` of a cased BERT from ``vocab.txt``: no lowercasing, accents kept."""
    import tokenizers
    from tokenizers import decoders, models, normalizers, pre_tokenizers

    words = vocabulary_path.read_text(encoding="utf-8").split("\n")
    if words and not words[-1]:
        words.pop()
    vocabulary = {word.rstrip("\r"): i for i, word in enumerate(words)}
    missing = [token for token in BERT_SPECIAL.values() if token not in vocabulary]
    if missing:
        raise DataError(
            f"{vocabulary_path}: not a BERT vocabulary, which has one token per line: "
            f"{', '.join(missing)} not found."
        )
    if len(vocabulary) != len(words):
        raise DataError(
            f"{vocabulary_path}: {len(words)} lines but {len(vocabulary)} different tokens; "
            "ids would shift. Fetch the file again."
        )
    backend = tokenizers.Tokenizer(
        models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100)
    )
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    _add_special(backend, list(BERT_SPECIAL.values()))
    _add_template(backend, "[CLS]", "[SEP]", "[SEP]")
    _save(backend, output)


def _add_special(backend: Any, names: list[str]) -> None:
    from tokenizers import AddedToken

    backend.add_special_tokens(
        # The mask swallows the blank before it, as in the published tokenizer of XLM-R.
        [AddedToken(name, normalized=False, lstrip=name == "<mask>") for name in names]
    )


def _add_template(backend: Any, first: str, last: str, between: str) -> None:
    """Sequences are ``first A last``; pairs ``first A last B last`` (XLM-R: ``between`` twice)."""
    from tokenizers.processors import TemplateProcessing

    doubled = f" {between}" if first == "<s>" else ""
    second = "" if first == "<s>" else ":1"
    backend.post_processor = TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last}{doubled} $B{second} {last}{second}",
        special_tokens=[
            (token, backend.token_to_id(token)) for token in dict.fromkeys((first, last))
        ],
    )


def _save(backend: Any, output: Path) -> None:
    output.write_text(backend.to_str(pretty=False), encoding="utf-8")
