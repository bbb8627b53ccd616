"""Read the sequence manifest and check that vocabulary and tokenizer are those it was made with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mluke_core.errors import DataError
from mluke_core.io.files import file_digest, read_json

MASK = "[MASK]"


@dataclass(frozen=True)
class Shard:
    """One Parquet file of sequences."""

    language: str
    path: Path
    rows: int
    validation_rows: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """All shards, the sampling weight of each language, and what the ids in them refer to."""

    path: Path
    weights: dict[str, float]
    shards: tuple[Shard, ...]
    tokenizer_digest: str
    word_count: int
    vocabulary_digest: str
    entity_count: int
    digest: str
    """SHA-256 of the manifest file: stands for all the data."""


def read_manifest(path: Path) -> Manifest:
    """Read ``sequences/manifest.json``; :class:`DataError` when it is not one."""
    raw: dict[str, Any] = read_json(path)
    try:
        shards = tuple(
            Shard(
                language=entry["language"],
                path=path.parent / entry["path"],
                rows=entry["rows"],
                validation_rows=entry["validation_rows"],
                sha256=entry["sha256"],
            )
            for entry in raw["shards"]
        )
        manifest = Manifest(
            path=path,
            weights={name: entry["weight"] for name, entry in raw["languages"].items()},
            shards=shards,
            tokenizer_digest=raw["tokenizer"]["digest"],
            word_count=raw["tokenizer"]["vocabulary_size"],
            vocabulary_digest=raw["entity_vocabulary"]["digest"],
            entity_count=raw["entity_vocabulary"]["size"],
            digest=file_digest(path),
        )
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path}: not a sequence manifest (no {error}). Make it with write_manifest."
        ) from None
    if not shards:
        raise DataError(f"{path}: the manifest lists no shards, so there is nothing to train on.")
    for shard in shards:
        if shard.language not in manifest.weights:
            raise DataError(
                f"{path}: shard {shard.path} is of language '{shard.language}', which"
                " has no sampling weight in it."
            )
        if not shard.path.exists():
            raise DataError(f"{shard.path}: listed in {path} but not there. Ask Snakemake for it.")
    return manifest


def check_vocabulary(manifest: Manifest, vocabulary: Path) -> int:
    """Check that the entity ids of the shards are rows of ``vocabulary``. Returns ``[MASK]``'s id.

    Raises:
        DataError: when they are of different vocabularies, or there is no ``[MASK]``.
    """
    digest = file_digest(vocabulary)
    if digest != manifest.vocabulary_digest:
        raise DataError(
            f"{vocabulary}: not the entity vocabulary that {manifest.path} was made with (digest"
            f" {digest[:12]}, expected {manifest.vocabulary_digest[:12]}). Make them again."
        )
    try:
        stored = pq.ParquetFile(vocabulary)
        # Special entities come first; one has a single title without language.
        first = next(stored.iter_batches(batch_size=64, columns=["entity_id", "titles"]), None)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{vocabulary}: not a readable Parquet file ({error}).") from None
    for row in first.to_pylist() if first is not None else []:
        if [title["title"] for title in row["titles"] if not title["language"]] == [MASK]:
            return int(row["entity_id"])
    raise DataError(f"{vocabulary}: no entity {MASK}. Make it again with build_vocabulary.")


def check_tokenizer(manifest: Manifest, digest: str, base: Path) -> None:
    """:class:`DataError` unless the base model has the tokenizer that made the sequences."""
    if digest != manifest.tokenizer_digest:
        raise DataError(
            f"{base}: its tokenizer is not the one that {manifest.path} was made with (digest"
            f" {digest[:12]}, expected {manifest.tokenizer_digest[:12]}). Set pretraining.tokenizer"
            " to the base model's, or choose another base."
        )
