"""Shards, manifest and batches: contents, limits, and what does not belong together."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from mluke_core.errors import ConfigError, DataError
from mluke_core.io.files import file_digest, read_json, write_json
from mluke_core.modeling.prediction import Targets
from mluke_core.pretraining.collate import MaskShares, Vocabulary, collate
from mluke_core.pretraining.loader import Loader
from mluke_core.pretraining.manifest import check_tokenizer, check_vocabulary, read_manifest
from mluke_core.pretraining.shards import Limits, UnpackedRows, unpack_shard, unpacked_path
from mluke_core.pretraining.unigram import unigram_log_probabilities, unigram_scores
from tests.pretraining_world import ENTITIES, WORDS, write_world

LIMITS = Limits(words=WORDS + 5, entities=ENTITIES + 3, tokens=510)
VOCABULARY = Vocabulary(WORDS + 5, 0, 2, WORDS + 4, 2)
SHARES = MaskShares(0.15, 0.15)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_world(tmp_path_factory.mktemp("world"))


def open_rows(world: dict[str, Path], folder: Path, split: str) -> dict[str, UnpackedRows]:
    manifest = read_manifest(world["manifest"])
    paths: dict[str, list[Path]] = {}
    for shard in manifest.shards:
        unpack_shard(shard, folder, LIMITS)
        paths.setdefault(shard.language, []).append(unpacked_path(shard, folder, split))
    return {language: UnpackedRows(files) for language, files in paths.items()}


@pytest.fixture(scope="module")
def loader(world: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Loader:
    folder = tmp_path_factory.mktemp("data")
    train, validation = (open_rows(world, folder, split) for split in ("train", "validation"))
    weights = read_manifest(world["manifest"]).weights
    return Loader(train, validation, weights, VOCABULARY, SHARES, 7, "stage1")


def test_rows_are_those_of_the_shards(world: dict[str, Path], tmp_path: Path) -> None:
    for split, wanted in (("train", False), ("validation", True)):
        opened = open_rows(world, tmp_path, split)
        for language in ("en", "ja"):
            expected = [
                row
                for shard in read_manifest(world["manifest"]).shards
                if shard.language == language
                for row in pq.read_table(shard.path).to_pylist()
                if row["validation"] is wanted
            ]
            assert len(opened[language]) == len(expected) > 4
            for number, row in enumerate(expected):
                found = opened[language].row(number)
                for name, values in found._asdict().items():
                    assert values.tolist() == row[name]


def test_batches_hold_the_sequences_with_masks_undone(loader: Loader) -> None:
    batch, targets = loader.batch(0, 16)
    languages, numbers = loader.plan.draw(0, 16)
    words, entities = batch.word_ids_T.clone(), batch.entity_ids_E.clone()
    words[targets.words_W] = targets.word_ids_W
    entities[targets.entities_K] = targets.entity_ids_K
    assert (batch.entity_ids_E[targets.entities_K] == 2).all()
    for place, (language, number) in enumerate(zip(languages, numbers, strict=True)):
        row = loader.training[loader.plan.languages[language]].row(int(number))
        inside = slice(*batch.word_offsets[place : place + 2])
        assert words[inside].tolist() == [0, *row.input_ids.tolist(), 2]
        of_row = range(*batch.entity_offsets[place : place + 2])
        assert entities[of_row.start : of_row.stop].tolist() == row.entity_ids.tolist()
        for entity, start, end in zip(of_row, row.starts, row.ends, strict=True):
            first = int(batch.mention_starts_E[entity])
            found = batch.mention_positions_M[first : first + end - start].tolist()
            assert found == list(range(start + 1, end + 1))
            mention = [words[inside][place].item() for place in found]
            assert mention == row.input_ids[start:end].tolist()


def test_batches_do_not_depend_on_how_they_are_cut(loader: Loader) -> None:
    """Two processes with half batches see what one sees: the world size changes nothing."""
    whole_batch, whole = loader.batch(40, 48)
    words, targets = [], []
    for start in (40, 44):
        batch, part = loader.batch(start, start + 4)
        words.append(batch.word_ids_T)
        targets.append(part.word_ids_W)
    assert torch.equal(whole_batch.word_ids_T, torch.cat(words))
    assert torch.equal(whole.word_ids_W, torch.cat(targets))


@pytest.mark.parametrize("tokens", [0, 1, 40, 70])
@pytest.mark.parametrize("processes", [1, 2, 4])
def test_micro_batches_keep_the_order(loader: Loader, tokens: int, processes: int) -> None:
    """However they are cut, and for any number of processes, the same places follow each other."""
    cuts = loader.micro_batches(32, 48, 8, tokens, processes)
    assert [place for start, stop in cuts for place in range(start, stop)] == list(range(32, 48))
    assert len(cuts) % processes == 0
    for start, stop in cuts:
        batch, _ = loader.batch(start, stop)
        assert batch.size <= 8
        rows = len(batch.word_ids_T) + len(batch.entity_ids_E)
        assert not tokens or rows <= tokens or batch.size == 1
    if tokens == 0 and processes == 2:
        assert cuts == [(32, 40), (40, 48)]


def test_fewer_sequences_than_processes(loader: Loader) -> None:
    with pytest.raises(ConfigError, match="2 sequences cannot be shared by 3 processes"):
        loader.micro_batches(0, 2, 8, 0, 3)


def test_stages_and_epochs_mask_anew(loader: Loader) -> None:
    other = Loader(
        loader.training, loader.validation, {"en": 1, "ja": 1}, VOCABULARY, SHARES, 7, "stage2"
    )
    assert not torch.equal(loader.batch(0, 8)[0].word_ids_T, other.batch(0, 8)[0].word_ids_T)
    size = len(loader.training["en"])
    row = loader.training["en"].row(0)
    keys = np.array([3, 3 + size], dtype=np.uint64)
    batch, _ = collate([row, row], keys, VOCABULARY, SHARES)
    first, second = batch.word_ids_T.chunk(2)
    assert not torch.equal(first, second)


def test_validation_is_the_same_every_time_and_held_out(loader: Loader) -> None:
    first = [batch.word_ids_T for batch, _ in loader.validation_batches("en", 5, 2)]
    second = [batch.word_ids_T for batch, _ in loader.validation_batches("en", 5, 2)]
    assert [len(ids) for ids in first] == [len(ids) for ids in second]
    assert all(map(torch.equal, first, second))
    assert sum(batch.size for batch, _ in loader.validation_batches("ja", 1000, 3)) == 12


def test_word_only_batches_have_no_entities(loader: Loader) -> None:
    words_only = Loader(
        loader.training,
        loader.validation,
        {"en": 1, "ja": 1},
        Vocabulary(WORDS + 5, 0, 2, WORDS + 4, None),
        SHARES,
        7,
        "extra",
    )
    batch, targets = words_only.batch(0, 4)
    assert len(batch.entity_ids_E) == len(targets.entity_ids_K) == 0
    assert len(targets.word_ids_W) > 0


def test_unigram_scores() -> None:
    class Rows:
        def __init__(self, words: list[int], entities: list[int]) -> None:
            self.words, self.entities = words, entities

        def __len__(self) -> int:
            return 1

        def row(self, number: int):
            from mluke_core.pretraining.shards import Row

            none = np.zeros(0, np.int16)
            return Row(
                np.array(self.words, np.int32), np.array(self.entities, np.int32), none, none
            )

    rows = {"en": Rows([0, 0, 0, 1], [1]), "ja": Rows([1, 1], [])}
    words, entities = unigram_log_probabilities(rows, {"en": 0.5, "ja": 0.5}, 3, 2)  # type: ignore[arg-type]
    # en gives 3/4 and 1/4, ja 0 and 1; mixed evenly over 6 words, plus one each
    assert np.exp(words).tolist() == pytest.approx([3.25 / 9, 4.75 / 9, 1 / 9])
    assert np.exp(words).sum() == pytest.approx(1)
    assert np.exp(entities).sum() == pytest.approx(1)
    none = torch.zeros(0, dtype=torch.int64)
    target = Targets(none, torch.tensor([1, 1, 2]), none, none)
    scores = unigram_scores([target], words, entities)
    assert scores["mlm_loss"] == pytest.approx(-np.log([4.75 / 9, 4.75 / 9, 1 / 9]).mean())
    assert scores["mlm_accuracy"] == pytest.approx(2 / 3)
    assert scores["mep_loss"] is None
    assert scores["mep_accuracy"] is None


def test_changed_shard_is_refused(world: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(world["manifest"].parent, tmp_path / "sequences")
    manifest = read_manifest(tmp_path / "sequences" / "manifest.json")
    shard = manifest.shards[0]
    content = bytearray(shard.path.read_bytes())
    content[len(content) // 2] ^= 1
    shard.path.write_bytes(content)
    with pytest.raises(DataError, match="changed since the manifest was written"):
        unpack_shard(shard, tmp_path / "data", LIMITS)
    assert not list((tmp_path / "data").glob("*.arrow"))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(10, 15, 510), r"word ids from \d+ to \d+, but the model's word table has 10 rows"),
        (Limits(45, 5, 510), "entity table has 5 rows"),
        (Limits(45, 15, 12), r"row \d+: a sequence of \d+ tokens; the model takes 1 to 12"),
    ],
)
def test_what_the_model_cannot_take_is_refused(
    world: dict[str, Path], tmp_path: Path, limits: Limits, message: str
) -> None:
    shard = read_manifest(world["manifest"]).shards[0]
    with pytest.raises(DataError, match=message):
        unpack_shard(shard, tmp_path, limits)


def test_wrong_row_counts_are_refused(world: dict[str, Path], tmp_path: Path) -> None:
    shard = read_manifest(world["manifest"]).shards[0]
    with pytest.raises(DataError, match="the manifest says 61"):
        unpack_shard(dataclasses.replace(shard, rows=61), tmp_path, LIMITS)


def test_a_row_with_more_spans_than_entities_is_refused(
    world: dict[str, Path], tmp_path: Path
) -> None:
    """Also where another row has as many too few, so that their sums agree."""
    shard = read_manifest(world["manifest"]).shards[0]
    table = pq.read_table(shard.path)
    starts = [[0] * len(of_row) for of_row in table.column("starts").to_pylist()]
    donor, taker = [number for number, of_row in enumerate(starts) if of_row][:2]
    starts[taker].append(starts[donor].pop())
    for name in ("starts", "ends"):  # empty spans lie inside any sequence
        column = table.schema.get_field_index(name)
        field = table.schema.field(column)
        table = table.set_column(column, field, pa.array(starts, field.type))
    path = tmp_path / "moved.parquet"
    pq.write_table(table, path)
    moved = dataclasses.replace(shard, path=path, sha256=file_digest(path))
    with pytest.raises(DataError, match="entity spans that lie outside their sequence"):
        unpack_shard(moved, tmp_path / "data", LIMITS)


def test_manifest_problems_have_one_message(world: dict[str, Path], tmp_path: Path) -> None:
    original = read_json(world["manifest"])
    target = tmp_path / "manifest.json"
    for change, message in (
        ({"shards": []}, "no shards"),
        ({"tokenizer": {}}, "not a sequence manifest"),
        ({"languages": {}}, "no sampling weight"),
        ({}, "but not there"),
    ):
        write_json(target, {**original, **change})
        with pytest.raises(DataError, match=message):
            read_manifest(target)


def test_foreign_vocabulary_and_tokenizer_are_refused(
    world: dict[str, Path], tmp_path: Path
) -> None:
    manifest = read_manifest(world["manifest"])
    assert check_vocabulary(manifest, world["vocabulary"]) == 2
    check_tokenizer(manifest, file_digest(world["tokenizer"] / "tokenizer.json"), world["base"])
    with pytest.raises(DataError, match="tokenizer is not the one"):
        check_tokenizer(manifest, "0" * 64, world["base"])
    other = tmp_path / "vocabulary.parquet"
    shutil.copyfile(manifest.shards[0].path, other)
    with pytest.raises(DataError, match="not the entity vocabulary that"):
        check_vocabulary(manifest, other)
