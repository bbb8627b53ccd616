"""Markers, entity masks and cutting of relation classification."""

from pathlib import Path

import numpy as np
import pytest

from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.errors import DataError
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks.relation import RelationTask
from tests.task_world import entity_vocabulary, make_tokenizer, relations


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return Tokenizer.load(make_tokenizer(tmp_path_factory.mktemp("tokenizer")))


def encode(  # type: ignore[no-untyped-def]
    tokenizer: Tokenizer, folder: Path, content: str, inputs: str = "word", maximum: int = 60
):
    path = folder / "relations.txt"
    path.write_text(content, encoding="utf-8")
    vocabulary = EntityVocabulary(entity_vocabulary()) if inputs == "entity" else None
    size = tokenizer.vocabulary_size
    task = RelationTask({"maximum_length": maximum}, inputs, tokenizer, size, vocabulary)
    dataset = task.read(path)
    task.learn_labels(dataset)
    return task, dataset, task.encode(dataset, training=True)


def show(tokenizer: Tokenizer, ids: list[int]) -> str:
    size = tokenizer.vocabulary_size
    names = {size: "<ent>", size + 1: "<ent2>"}
    return "".join(names.get(i) or tokenizer.token_of(i) for i in ids).replace("▁", " ")


@pytest.mark.parametrize(
    ("tagged", "shown"),
    [
        (
            "<e1> Ada </e1> was born in <e2> Paris </e2> .",
            "<s><ent> Ada<ent> was born in<ent2> Paris<ent2> .</s>",
        ),
        (
            "in <e2> Paris </e2> <e1> Ada </e1>",
            "<s> in<ent2> Paris<ent2><ent> Ada<ent></s>",
        ),
        ("the <e1> </e1> was <e2> Bo </e2>", "<s> the<ent><ent> was<ent2> Bo<ent2></s>"),
        # A mention within another: markers nest.
        ("<e1> Ada in <e2> Rome </e2> </e1>", "<s><ent> Ada in<ent2> Rome<ent><ent2></s>"),
        # No space, and so no word start, within a word.
        ("<e1> Kanada </e1>n <e2> Bo </e2>", "<s><ent> Kanada<ent>n<ent2> Bo<ent2></s>"),
    ],
)
def test_markers(tokenizer: Tokenizer, tmp_path: Path, tagged: str, shown: str) -> None:
    _, _, features = encode(tokenizer, tmp_path, f'1\t"{tagged}"\nno_relation\n')
    assert show(tokenizer, features[0].word_ids.tolist()) == shown
    first, second = features[0].extra
    assert features[0].word_ids[first] == tokenizer.vocabulary_size
    assert features[0].word_ids[second] == tokenizer.vocabulary_size + 1
    assert first == features[0].word_ids.tolist().index(tokenizer.vocabulary_size)


def test_entities_cover_the_mention_and_its_markers(tokenizer: Tokenizer, tmp_path: Path) -> None:
    content = '1\t"<e2> Ada </e2> and <e1> </e1>"\nno_relation\n'
    _, _, features = encode(tokenizer, tmp_path, content, "entity")
    feature = features[0]
    assert feature.entity_ids.tolist() == [0, 7]  # [MASK], [MASK2]
    size = tokenizer.vocabulary_size
    covered = [feature.word_ids[a:b].tolist() for a, b in feature.entity_spans]
    ada = tokenizer.encode_with_spans("Ada", [])[0]
    assert covered == [[size, size], [size + 1, *ada, size + 1]]


def test_word_and_entity_inputs_share_the_words(tokenizer: Tokenizer, tmp_path: Path) -> None:
    content = relations(20, seed=1)
    _, _, word = encode(tokenizer, tmp_path, content)
    _, _, entity = encode(tokenizer, tmp_path, content, "entity")
    for a, b in zip(word, entity, strict=True):
        assert np.array_equal(a.word_ids, b.word_ids)
        assert a.target == b.target


def test_long_sentences_keep_what_is_near_the_mentions(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    filler = "the old teacher said that " * 20
    tagged = f"{filler} <e1> Ada </e1> {filler} <e2> Paris </e2> {filler}"
    _, dataset, features = encode(
        tokenizer, tmp_path, f'1\t"{tagged}"\nno_relation\n', "entity", maximum=40
    )
    feature = features[0]
    assert len(feature.word_ids) == 40
    text = show(tokenizer, feature.word_ids.tolist())
    assert "<ent> Ada<ent>" in text
    assert "<ent2> Paris<ent2>" in text
    assert text.startswith("<s>")
    assert text.endswith("</s>")
    covered = [show(tokenizer, feature.word_ids[a:b].tolist()) for a, b in feature.entity_spans]
    assert covered == ["<ent> Ada<ent>", "<ent2> Paris<ent2>"]
    assert dataset.report.counts["sentences cut to 40 tokens"] == 1


def test_unseen_label_is_an_error(tokenizer: Tokenizer, tmp_path: Path) -> None:
    task, _, _ = encode(tokenizer, tmp_path, relations(20, seed=1))
    path = tmp_path / "other.txt"
    path.write_text('77\t"<e1> a </e1> <e2> b </e2>"\nper:cousin(e1,e2)\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"record 77 .*per:cousin\(e1,e2\).*no_relation"):
        task.encode(task.read(path), training=False)


def test_vocabulary_without_second_mask(tokenizer: Tokenizer, tmp_path: Path) -> None:
    ids = {"[PAD]": 0, "[UNK]": 1, "[MASK]": 2}
    task = RelationTask({"maximum_length": 60}, "entity", tokenizer, 100, EntityVocabulary(ids))
    path = tmp_path / "relations.txt"
    path.write_text(relations(3, seed=1), encoding="utf-8")
    dataset = task.read(path)
    task.learn_labels(dataset)
    with pytest.raises(DataError, match=r"no \[MASK2\]"):
        task.encode(dataset, training=True)


def test_majority_baseline(tokenizer: Tokenizer, tmp_path: Path) -> None:
    records = ["r(e1,e2)"] * 3 + ["no_relation"]
    content = "\n".join(
        f'{i}\t"<e1> a </e1> <e2> b </e2>"\n{label}\n' for i, label in enumerate(records)
    )
    task, dataset, _ = encode(tokenizer, tmp_path, content)
    assert task.baseline(dataset, dataset, 0)["accuracy"] == 75
