"""The manifest: counts, sampling weights, digests, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mluke_core.errors import ConfigError, DataError
from mluke_core.io.files import file_digest, read_json, write_json
from mluke_core.pretraining.manifest import check_tokenizer, check_vocabulary, read_manifest
from mluke_core.sequences.build_tokenizer import build_tokenizer
from mluke_core.sequences.shuffle_sequences import shuffle_sequences
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.sequences.write_manifest import sampling_weights, write_manifest
from tests.alignment_world import train_sentencepiece, write_source, write_vocabulary
from tests.sequence_shards import rows_of, write_part


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    base = tmp_path_factory.mktemp("tokenizer")
    model = train_sentencepiece(base / "files" / "sentencepiece.bpe.model")
    build_tokenizer(write_source(base / "s.json", "small", [model]), "sentencepiece", base / "t")
    return Tokenizer.load(base / "t")


def shards(
    folder: Path, tokenizer: Tokenizer, language: str, rows: int, held_out: int
) -> tuple[Path, Path]:
    """Folder and index of a language."""
    vocabulary = write_vocabulary(folder / "vocabulary.parquet", [{"en": "Japan"}])
    digests = {"tokenizer": tokenizer.digest, "entity_vocabulary": file_digest(vocabulary)}
    content = [(page, i < held_out, s) for i, (page, _, s) in enumerate(rows_of(rows + 1)[:rows])]
    part = write_part(folder, f"{language}/000", content, digests)
    output, index = folder / "sequences" / language, folder / "reports" / f"{language}.json"
    write_json(index, shuffle_sequences(language, [part], 1, 256, output))
    return output, index


def manifest(
    folder: Path, tokenizer: Tokenizer, sizes: dict[str, tuple[int, int]], alpha: float = 0.7
) -> dict[str, Any]:
    files = {name: shards(folder, tokenizer, name, *size) for name, size in sizes.items()}
    return write_manifest(
        [(name, path) for name, (path, _) in files.items()],
        [(name, index) for name, (_, index) in reversed(files.items())],
        folder / "vocabulary.parquet",
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
    result = manifest(tmp_path, tokenizer, {"en": (12, 1), "sw": (5, 5), "te": (0, 0)})
    english, swahili, telugu = (result["languages"][name] for name in ("en", "sw", "te"))
    assert (english["sequences"], english["validation_sequences"]) == (12, 1)
    tokens = sum(len(sequence.tokens) for *_, sequence in rows_of(13)[:12])
    assert (english["tokens"], english["entities"], english["links"]) == (tokens, 24, 36)
    assert english["share"] == english["weight"] == 1.0
    assert swahili["weight"] == telugu["weight"] == telugu["sequences"] == 0
    assert [entry["path"] for entry in result["shards"]] == [
        f"{language}/00000.parquet" for language in ("en", "sw", "te")
    ]
    for entry in result["shards"]:
        content = (tmp_path / "sequences" / entry["path"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["bytes"] == len(content)
    content = (tmp_path / "vocabulary.parquet").read_bytes()
    assert result["entity_vocabulary"] == {
        "digest": hashlib.sha256(content).hexdigest(),
        "size": 4,
    }
    content = (tokenizer.folder / "tokenizer.json").read_bytes()
    assert result["tokenizer"]["digest"] == hashlib.sha256(content).hexdigest()
    assert json.dumps(result)


def test_weights_are_of_the_training_sequences(tmp_path: Path, tokenizer: Tokenizer) -> None:
    result = manifest(tmp_path, tokenizer, {"en": (12, 4), "de": (8, 0)})
    assert result["languages"]["en"]["weight"] == result["languages"]["de"]["weight"] == 0.5


def test_pretraining_needs_nothing_else(tmp_path: Path, tokenizer: Tokenizer) -> None:
    """A copy of the folder elsewhere is whole: paths are relative, digests are in the manifest."""
    written = manifest(tmp_path, tokenizer, {"en": (12, 4), "de": (8, 0)})
    write_json(tmp_path / "sequences" / "manifest.json", written)
    moved = shutil.copytree(tmp_path / "sequences", tmp_path / "elsewhere" / "s")
    shutil.rmtree(tmp_path / "sequences")
    read = read_manifest(moved / "manifest.json")
    assert {shard.language: shard.rows for shard in read.shards} == {"en": 12, "de": 8}
    assert read.weights == {"en": 0.5, "de": 0.5}
    assert check_vocabulary(read, tmp_path / "vocabulary.parquet") == 2
    check_tokenizer(read, tokenizer.digest, tokenizer.folder)


def test_what_does_not_fit_is_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    with pytest.raises(ConfigError, match=r"pretraining\.alpha is 2"):
        manifest(tmp_path, tokenizer, {"en": (3, 0)}, alpha=2)
    with pytest.raises(DataError, match="no sequence for training"):
        manifest(tmp_path, tokenizer, {"en": (3, 3)})
    folder, index = shards(tmp_path, tokenizer, "en", 30, 0)

    def write(name: str = "en", vocabulary: str = "vocabulary.parquet", **changed: Any) -> None:
        changed_index = tmp_path / "changed.json"
        write_json(changed_index, {**read_json(index), **changed})
        write_manifest(
            [("en", folder)],
            [(name, changed_index)],
            tmp_path / vocabulary,
            tokenizer,
            0.7,
            tmp_path,
        )

    write()
    with pytest.raises(DataError, match="no index of en among --indexes"):
        write("de")
    (shard,) = read_json(index)["shards"]
    with pytest.raises(DataError, match=r"00000\.parquet: 30 rows, but .*changed\.json says 31"):
        write(shards=[{**shard, "rows": 31}])
    with pytest.raises(DataError, match=r"00001\.parquet: no such file"):
        write(shards=[{**shard, "path": "00001.parquet"}])
    other = write_vocabulary(tmp_path / "other.parquet", [{"en": "Tokyo"}])
    with pytest.raises(DataError, match="made with another entity vocabulary"):
        write(vocabulary=other.name)


def test_a_tokenizer_that_made_other_sequences(tmp_path: Path, tokenizer: Tokenizer) -> None:
    folder, index = shards(tmp_path, tokenizer, "en", 3, 0)
    model = train_sentencepiece(tmp_path / "files" / "sentencepiece.bpe.model", pieces=300)
    source = write_source(tmp_path / "s.json", "small", [model])
    build_tokenizer(source, "sentencepiece", tmp_path / "other")
    other = Tokenizer.load(tmp_path / "other")
    with pytest.raises(DataError, match=r"made with another tokenizer \(digest .* than the one in"):
        write_manifest(
            [("en", folder)],
            [("en", index)],
            tmp_path / "vocabulary.parquet",
            other,
            0.7,
            tmp_path,
        )
