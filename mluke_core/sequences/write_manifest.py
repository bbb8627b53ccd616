"""The manifest of the training sequences: all that pretraining needs to know of the corpus."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mluke_core.alignment.build_vocabulary import vocabulary_size
from mluke_core.alignment.database import open_parquet
from mluke_core.errors import ConfigError, DataError
from mluke_core.io.files import file_digest, read_json
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.versions import STAGE_VERSIONS

log = logging.getLogger("mluke")

# Counts of a language's index that its entry of the manifest repeats.
COUNTS = ("sequences", "validation_sequences", "tokens", "entities", "pages", "links")


def sampling_weights(rows: Mapping[str, int], alpha: float) -> dict[str, float]:
    """Probability of each language: rows^alpha over their sum; 0 for a language without rows.

    Section 3 of the paper, with alpha = 0.7.

    >>> sampling_weights({"en": 100, "sw": 1, "te": 0}, 0.5)
    {'en': 0.9090909090909091, 'sw': 0.09090909090909091, 'te': 0.0}
    """
    powers = {language: n**alpha if n else 0.0 for language, n in rows.items()}
    total = sum(powers.values())
    return {language: power / total if total else 0.0 for language, power in powers.items()}


def write_manifest(
    folders: Sequence[tuple[str, Path]],
    indexes: Sequence[tuple[str, Path]],
    vocabulary: Path,
    tokenizer: Tokenizer,
    alpha: float,
    folder: Path,
) -> dict[str, Any]:
    """The manifest of these shards as a JSON-like value.

    Args:
        folders: ``("en", path)``: the folder of shards of each language.
        indexes: ``("en", path)``: what `shuffle_sequences` says of it.
        vocabulary: ``vocabulary.parquet``.
        tokenizer: the tokenizer that made the sequences.
        alpha: exponent of the language sampling.
        folder: where the manifest will be; paths are relative to it.

    Raises:
        DataError: when an index is missing, a shard is not the file its index describes or was
            made with another tokenizer or vocabulary, or no shard holds a sequence for training.
    """
    if not 0 <= alpha <= 1:
        raise ConfigError(f"pretraining.alpha is {alpha}; it must be between 0 and 1.")
    entity_count = vocabulary_size(vocabulary)
    made_with = {"tokenizer": tokenizer.digest, "entity_vocabulary": file_digest(vocabulary)}
    index_of = {language: (path, read_json(path)) for language, path in indexes}
    languages: dict[str, dict[str, Any]] = {}
    shards = []
    for language, shard_folder in folders:
        if language not in index_of:
            raise DataError(f"{shard_folder}: no index of {language} among --indexes.")
        path, index = index_of[language]
        _check_digests(path, index, made_with, {"tokenizer": tokenizer.folder})
        languages[language] = {name: index[name] for name in COUNTS}
        shards += [_entry(language, shard_folder, shard, path, folder) for shard in index["shards"]]
    training = {
        language: entry["sequences"] - entry["validation_sequences"]
        for language, entry in languages.items()
    }
    if not sum(training.values()):
        raise DataError(
            "no sequence for training in any language: is the vocabulary or the corpus too small?"
        )
    shares = sampling_weights(training, 1.0)
    weights = sampling_weights(training, alpha)
    for language, entry in languages.items():
        entry["share"], entry["weight"] = shares[language], weights[language]
        if not training[language]:
            log.warning("%s: no sequence for training; the language is never drawn", language)
    return {
        "version": STAGE_VERSIONS["write_manifest"],
        "tokenizer": {
            "digest": made_with["tokenizer"],
            "vocabulary_size": tokenizer.vocabulary_size,
        },
        "entity_vocabulary": {
            "digest": made_with["entity_vocabulary"],
            "size": entity_count,
        },
        "alpha": alpha,
        "languages": languages,
        "shards": shards,
    }


def _check_digests(
    path: Path, index: Mapping[str, Any], made_with: Mapping[str, str], folders: Mapping[str, Path]
) -> None:
    """:class:`DataError` when the sequences were made with another tokenizer or vocabulary."""
    for name, digest in made_with.items():
        if index.get(name) != digest:
            where = f" in {folders[name]}" if name in folders else ""
            raise DataError(
                f"{path}: the sequences were made with another {name.replace('_', ' ')} (digest "
                f"{str(index.get(name))[:12]}) than the one{where} ({digest[:12]}). Make them "
                "again, or give the one they were made with."
            )


def _entry(
    language: str, shard_folder: Path, shard: Mapping[str, Any], index: Path, folder: Path
) -> dict[str, Any]:
    """A shard's entry; :class:`DataError` unless the file has the size and rows of its index.

    The content is not read here: pretraining compares its digest when it unpacks the shard.
    """
    path = shard_folder / shard["path"]
    with open_parquet(path) as file:
        found = {"rows": file.metadata.num_rows, "bytes": path.stat().st_size}
    for name, number in found.items():
        if number != shard[name]:
            raise DataError(
                f"{path}: {number} {name}, but {index} says {shard[name]}. Delete both so that "
                "they are made again."
            )
    return {
        "language": language,
        **shard,
        "path": Path(os.path.relpath(path, folder)).as_posix(),
    }
