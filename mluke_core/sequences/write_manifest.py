"""The manifest of the training sequences: all that pretraining needs to know of the corpus."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from mluke_core.alignment.build_vocabulary import vocabulary_size
from mluke_core.alignment.database import open_parquet, read_columns
from mluke_core.errors import ConfigError, DataError
from mluke_core.io.files import file_digest, read_json
from mluke_core.sequences.store import SCHEMA
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.versions import STAGE_VERSIONS

log = logging.getLogger("mluke")

# Counts of the parts' reports that a language's entry sums up.
SUMMED = ("tokens", "entities", "pages", "words", "links")


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
    shards: Sequence[tuple[str, Path]],
    reports: Sequence[tuple[str, Path]],
    vocabulary: Path,
    tokenizer: Tokenizer,
    alpha: float,
    folder: Path,
) -> dict[str, Any]:
    """The manifest of these shards as a JSON-like value.

    Args:
        shards: ``("en/000", path)`` per file of sequences.
        reports: ``("en/000", path)`` per report of `build_sequences`.
        vocabulary: ``vocabulary.parquet``.
        tokenizer: the tokenizer that made the sequences.
        alpha: exponent of the language sampling.
        folder: where the manifest will be; paths are relative to it.

    Raises:
        DataError: when a report is missing, a file holds other rows than its report says, or no
            file holds a sequence for training.
    """
    if not 0 <= alpha <= 1:
        raise ConfigError(f"pretraining.alpha is {alpha}; it must be between 0 and 1.")
    entity_count = vocabulary_size(vocabulary)
    report_of = {name: read_json(path) for name, path in reports}
    languages: dict[str, dict[str, Any]] = {}
    entries = []
    for name, path in shards:
        language = name.split("/")[0]
        rows, validation_rows = _rows(path)
        report = report_of.get(name)
        if report is None:
            raise DataError(f"{path}: no report of {name} among --reports.")
        if (report.get("sequences"), report.get("validation_sequences")) != (rows, validation_rows):
            raise DataError(
                f"{path}: {rows} sequences, {validation_rows} held out, but its report says "
                f"{report.get('sequences')} and {report.get('validation_sequences')}. Delete both "
                "so that they are made again."
            )
        _check_tokens(path, tokenizer)
        entries.append(
            {
                "language": language,
                "path": Path(os.path.relpath(path, folder)).as_posix(),
                "rows": rows,
                "validation_rows": validation_rows,
                "sha256": file_digest(path),
            }
        )
        total = languages.setdefault(
            language, {"sequences": 0, "validation_sequences": 0, **dict.fromkeys(SUMMED, 0)}
        )
        total["sequences"] += rows
        total["validation_sequences"] += validation_rows
        for key in SUMMED:
            total[key] += report.get(key, 0)
    training = {
        language: total["sequences"] - total["validation_sequences"]
        for language, total in languages.items()
    }
    if not sum(training.values()):
        raise DataError(
            "no sequence for training in any language: is the vocabulary or the corpus too small?"
        )
    shares = sampling_weights(training, 1.0)
    weights = sampling_weights(training, alpha)
    for language, total in languages.items():
        total["share"], total["weight"] = shares[language], weights[language]
        if not training[language]:
            log.warning("%s: no sequence for training; the language is never drawn", language)
    return {
        "version": STAGE_VERSIONS["write_manifest"],
        "tokenizer": {"digest": tokenizer.digest, "vocabulary_size": tokenizer.vocabulary_size},
        "entity_vocabulary": {
            "digest": file_digest(vocabulary),
            "size": entity_count,
        },
        "alpha": alpha,
        "languages": languages,
        "shards": entries,
    }


def _rows(path: Path) -> tuple[int, int]:
    """Rows of a file of sequences, and how many of them are held out."""
    with open_parquet(path) as file:
        names = file.schema_arrow.names
    if names != SCHEMA.names:
        raise DataError(
            f"{path}: not a file of sequences: columns {', '.join(names)} instead of "
            f"{', '.join(SCHEMA.names)}."
        )
    held_out = read_columns(path, "validation")["validation"]
    return len(held_out), pc.sum(held_out).as_py() or 0


def _check_tokens(path: Path, tokenizer: Tokenizer) -> None:
    """Raise :class:`DataError` when the sequences hold ids that the tokenizer does not have."""
    with open_parquet(path) as file:
        columns = {file.schema.column(i).path: i for i in range(len(file.schema))}
        (column,) = [i for name, i in columns.items() if name.startswith("input_ids")]
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        statistics = [group.column(column).statistics for group in groups]
    largest = max((entry.max for entry in statistics if entry and entry.has_min_max), default=-1)
    if largest >= tokenizer.vocabulary_size:
        raise DataError(
            f"{path}: holds token {largest}, but the tokenizer in {tokenizer.folder} has only "
            f"{tokenizer.vocabulary_size}. It was made with another tokenizer: delete it."
        )
