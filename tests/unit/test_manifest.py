"""The manifest: counts, sampling weights, digests, and what it refuses."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mluke_core.errors import ConfigError, DataError
from mluke_core.io.files import write_json
from mluke_core.sequences.build_tokenizer import build_tokenizer
from mluke_core.sequences.store import SequenceWriter
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.sequences.write_manifest import sampling_weights, write_manifest
from tests.alignment_world import train_sentencepiece, write_source, write_vocabulary


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    base = tmp_path_factory.mktemp("tokenizer")
    model = train_sentencepiece(base / "files" / "sentencepiece.bpe.model")
    build_tokenizer(write_source(base / "s.json", "small", [model]), "sentencepiece", base / "t")
    return Tokenizer.load(base / "t")


def shard(folder: Path, name: str, rows: int, held_out: int, token: int = 7) -> tuple[Path, Path]:
    path = folder / "sequences" / f"{name}.parquet"
    with SequenceWriter(path, {}, lambda raw: raw.astype(np.int32), row_group_size=4) as writer:
        for row in range(rows):
            writer.append(row, row < held_out, [token] * 10, [3], [0], [2])
    report = folder / "reports" / f"{name}.json"
    write_json(
        report,
        {
            "sequences": rows,
            "validation_sequences": held_out,
            "tokens": 10 * rows,
            "entities": rows,
            "pages": rows,
            "words": 5 * rows,
            "links": 2 * rows,
        },
    )
    return path, report


def manifest(
    folder: Path, tokenizer: Tokenizer, sizes: dict[str, tuple[int, int]], alpha: float = 0.7
) -> dict[str, Any]:
    files = {name: shard(folder, name, *size) for name, size in sizes.items()}
    return write_manifest(
        [(name, path) for name, (path, _) in files.items()],
        [(name, report) for name, (_, report) in reversed(files.items())],
        write_vocabulary(folder / "vocabulary.parquet", [{"en": "Japan"}]),
        tokenizer,
        alpha,
        folder / "sequences",
    )


def test_weights_follow_the_formula() -> None:
    rows = {"en": 800, "sw": 8, "te": 0}
    weights = sampling_weights(rows, 0.7)
    assert weights["en"] / weights["sw"] == pytest.approx(100**0.7)
    assert sum(weights.values()) == pytest.approx(1) and weights["te"] == 0
    assert sampling_weights(rows, 0.0) == {"en": 0.5, "sw": 0.5, "te": 0.0}
    assert sampling_weights({"te": 0}, 0.7) == {"te": 0.0}


def test_counts_weights_and_digests(tmp_path: Path, tokenizer: Tokenizer) -> None:
    sizes = {"en/000": (9, 1), "en/001": (3, 0), "sw/000": (5, 5), "te/000": (0, 0)}
    result = manifest(tmp_path, tokenizer, sizes)
    english, swahili, telugu = (result["languages"][name] for name in ("en", "sw", "te"))
    assert (english["sequences"], english["validation_sequences"]) == (12, 1)
    assert (english["tokens"], english["entities"], english["words"]) == (120, 12, 60)
    assert english["share"] == english["weight"] == 1.0
    assert swahili["weight"] == telugu["weight"] == telugu["sequences"] == 0
    assert [entry["path"] for entry in result["shards"]] == [f"{name}.parquet" for name in sizes]
    for entry in result["shards"]:
        content = (tmp_path / "sequences" / entry["path"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    content = (tmp_path / "vocabulary.parquet").read_bytes()
    assert result["entity_vocabulary"] == {
        "digest": hashlib.sha256(content).hexdigest(),
        "size": 4,
    }
    content = (tokenizer.folder / "tokenizer.json").read_bytes()
    assert result["tokenizer"]["digest"] == hashlib.sha256(content).hexdigest()
    assert json.dumps(result)


def test_weights_are_of_the_training_sequences(tmp_path: Path, tokenizer: Tokenizer) -> None:
    result = manifest(tmp_path, tokenizer, {"en/000": (12, 4), "de/000": (8, 0)})
    assert result["languages"]["en"]["weight"] == result["languages"]["de"]["weight"] == 0.5


def test_what_does_not_fit_is_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    with pytest.raises(ConfigError, match=r"pretraining\.alpha is 2"):
        manifest(tmp_path, tokenizer, {"en/000": (3, 0)}, alpha=2)
    with pytest.raises(DataError, match="no sequence for training"):
        manifest(tmp_path, tokenizer, {"en/000": (3, 3)})
    path, report = shard(tmp_path, "en/000", 3, 0)
    vocabulary = write_vocabulary(tmp_path / "vocabulary.parquet", [])

    def write(shards: list[tuple[str, Path]], reports: list[tuple[str, Path]]) -> None:
        write_manifest(shards, reports, vocabulary, tokenizer, 0.7, tmp_path)

    with pytest.raises(DataError, match="no report of en/000"):
        write([("en/000", path)], [("en/001", report)])
    with pytest.raises(DataError, match="not a file of sequences"):
        write([("en/000", vocabulary)], [("en/000", report)])
    other = shard(tmp_path, "en/001", 4, 0)[0]
    with pytest.raises(DataError, match=r"4 sequences, 0 held out, but its report says 3 and 0"):
        write([("en/000", other)], [("en/000", report)])
    foreign, report = shard(tmp_path, "en/002", 4, 0, token=tokenizer.vocabulary_size)
    with pytest.raises(DataError, match="was made with another tokenizer"):
        write([("en/002", foreign)], [("en/002", report)])
