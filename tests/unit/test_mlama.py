"""Word and entity scoring against a loop over questions and candidates with full softmaxes."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mluke_core.errors import ConfigError, DataError
from mluke_core.modeling.inputs import Example, pack
from mluke_core.probes import mlama_scoring
from mluke_core.probes.mlama import (
    BOTH_VARIANT,
    OBJECT_VARIANT,
    SCHEMA,
    WORD_VARIANT,
    ClozeModel,
    ask_language,
    ask_mlama,
    best_rank,
    load_model,
)
from mluke_core.probes.mlama_data import Question, Relation, read_language
from mluke_core.probes.mlama_prompts import candidate_ids, group_by_length, make_prompt
from mluke_core.probes.mlama_scoring import RelationInput, score_entities, score_words
from tests.probe_world import ProbeWorld, build_world, entity_vocabulary, make_model

LANGUAGES = ("en", "ga", "tr")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ProbeWorld:
    torch.set_num_threads(1)
    return build_world(tmp_path_factory.mktemp("probes"))


@pytest.fixture(scope="module")
def words(world: ProbeWorld) -> ClozeModel:
    return load_model(world.words, "word")


@pytest.fixture(scope="module")
def luke(world: ProbeWorld) -> ClozeModel:
    return load_model(world.luke, "entity")


def filled(template: str, subject: str, answer: str) -> tuple[str, list[tuple[int, int]]]:
    """The sentence, and the characters of subject and answer."""
    text = template.replace("[X]", "\0").replace("[Y]", "\1")
    spans = []
    for mark, value in (("\0", subject), ("\1", answer)):
        start = 0
        for letter in text:
            if letter == mark:
                break
            start += {"\0": len(subject), "\1": len(answer)}.get(letter, 1)
        spans.append((start, start + len(value)))
    return text.replace("\0", subject).replace("\1", answer), spans


def slow_word_score(asked: ClozeModel, template: str, subject: str, answer: str) -> float:
    """Mask the answer's tokens in the whole sentence, softmax over all words, in float64."""
    text, spans = filled(template, subject, answer)
    ids, [_, (start, end)] = asked.tokenizer.encode_with_spans(text, spans)
    masked = [asked.tokenizer.bos_id, *ids, asked.tokenizer.eos_id]
    masked[start + 1 : end + 1] = [asked.tokenizer.mask_id] * (end - start)
    model = asked.model
    with torch.no_grad():
        hidden = model.encoder(pack([Example(masked)])).words_TH[start + 1 : end + 1]
        features = model.word_head(hidden).double()
        table = model.encoder.words.word.weight.double()
        logits = features @ table.t() + model.word_head.bias.double()
    log_probabilities = logits.log_softmax(-1)
    return sum(
        log_probabilities[place, token].item() for place, token in enumerate(ids[start:end])
    ) / (end - start)


def slow_entity_score(
    asked: ClozeModel,
    template: str,
    subject: str,
    answer: str,
    title: str,
    language: str,
    both: bool,
) -> float:
    """One ``[MASK]`` entity over the masked answer, softmax over all entities, in float64."""
    assert asked.vocabulary is not None
    text, spans = filled(template, subject, answer)
    ids, [(first, last), (start, end)] = asked.tokenizer.encode_with_spans(text, spans)
    masked = [asked.tokenizer.bos_id, *ids, asked.tokenizer.eos_id]
    masked[start + 1 : end + 1] = [asked.tokenizer.mask_id] * (end - start)
    entities, mentions = [asked.vocabulary.mask_id], [(start + 1, end + 1)]
    subject_id = asked.vocabulary.id_of(subject, language)
    if both and subject_id is not None:
        entities.append(subject_id)
        mentions.append((first + 1, last + 1))
    model = asked.model
    assert model.entity_head is not None and model.encoder.entities is not None
    with torch.no_grad():
        hidden = model.encoder(pack([Example(masked, entities, mentions)])).entities_EH[:1]
        features = model.entity_head(hidden).double()
        table = model.encoder.entities.entity.weight.double()
        logits = features @ table.t() + model.entity_head.bias.double()
    target = asked.vocabulary.id_of(title, language)
    assert target is not None
    return logits.log_softmax(-1)[0, target].item()


def inputs_of(asked: ClozeModel, relation: Relation, language: str) -> RelationInput:
    """What is scored, with entities found by title alone."""
    own = asked.vocabulary
    entities = [own.id_of(name, language) if own else None for name in relation.candidates]
    return RelationInput(
        [make_prompt(asked.tokenizer, relation.template, q.subject) for q in relation.questions],
        group_by_length(candidate_ids(asked.tokenizer, relation)),
        len(relation.candidates),
        np.array([-1 if entity is None else entity for entity in entities]),
        [own.id_of(q.subject, language) if own else None for q in relation.questions],
    )


def relations_of(world: ProbeWorld, language: str) -> list[Relation]:
    return read_language(world.data, world.candidates, language).relations


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["words", "bert", "luke"])
def test_word_scores_equal_the_slow_ones(world: ProbeWorld, kind: str, language: str) -> None:
    asked = load_model(getattr(world, kind), "word")
    relations = relations_of(world, language)
    inputs = [inputs_of(asked, relation, language) for relation in relations]
    scores = score_words(asked.model, asked.tokenizer.mask_id, inputs)
    spread = set()
    for relation, scores_QC in zip(relations, scores, strict=True):
        for question, row in zip(relation.questions, scores_QC, strict=True):
            for candidate, score in zip(relation.candidates, row, strict=True):
                slow = slow_word_score(asked, relation.template, question.subject, candidate)
                assert score == pytest.approx(slow, abs=1e-5)
                spread.add(round(slow, 3))
    assert len(spread) > 4


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("both", [False, True])
def test_entity_scores_equal_the_slow_ones(
    world: ProbeWorld, luke: ClozeModel, language: str, both: bool
) -> None:
    assert luke.vocabulary is not None
    relations = relations_of(world, language)
    inputs = [inputs_of(luke, relation, language) for relation in relations]
    scores = score_entities(
        luke.model, luke.tokenizer.mask_id, luke.vocabulary.mask_id, inputs, both
    )
    scored = 0
    for relation, relation_input, scores_QC in zip(relations, inputs, scores, strict=True):
        for number, question in enumerate(relation.questions):
            for column, candidate in enumerate(relation.candidates):
                score = scores_QC[number, column]
                asked_it = not both or relation_input.subjects[number] is not None
                if relation_input.entities[column] < 0 or not asked_it:
                    assert score == -math.inf
                    continue
                slow = slow_entity_score(
                    luke, relation.template, question.subject, candidate, candidate, language, both
                )
                assert score == pytest.approx(slow, abs=1e-5)
                scored += 1
    assert scored > 0


def test_the_subject_changes_the_score(world: ProbeWorld, luke: ClozeModel) -> None:
    one = slow_entity_score(
        luke, "The capital of [X] is [Y] .", "France", "Rome", "Rome", "en", False
    )
    two = slow_entity_score(
        luke, "The capital of [X] is [Y] .", "France", "Rome", "Rome", "en", True
    )
    assert abs(one - two) > 1e-3


@pytest.mark.parametrize("budget", [1, 60])
def test_batches_do_not_change_scores(
    world: ProbeWorld, words: ClozeModel, monkeypatch: pytest.MonkeyPatch, budget: int
) -> None:
    inputs = [inputs_of(words, relation, "en") for relation in relations_of(world, "en")]
    together = score_words(words.model, words.tokenizer.mask_id, inputs)
    monkeypatch.setattr(mlama_scoring, "TOKEN_BUDGET", budget)
    apart = score_words(words.model, words.tokenizer.mask_id, inputs)
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    "template", ["[X] is in [Y] .", "[Y] holds [X]", "[Y][X]", "[X][Y]!", "In [Y] is [X]."]
)
@pytest.mark.parametrize("masks", [1, 3])
def test_prompt_puts_masks_and_subject_where_they_belong(
    words: ClozeModel, template: str, masks: int
) -> None:
    tokenizer = words.tokenizer
    prompt = make_prompt(tokenizer, template, "New York City")
    ids = prompt.example(masks, tokenizer.mask_id).input_ids
    assert prompt.length(masks) == len(ids)
    start, end = prompt.object_span(masks)
    assert [place for place, token in enumerate(ids) if token == tokenizer.mask_id] == list(
        range(start, end)
    )
    assert end - start == masks
    first, last = prompt.subject_span(masks)
    subject = "".join(tokenizer.token_of(token) for token in ids[first:last])
    assert subject.replace("▁", " ").strip() == "New York City"
    assert (first < start) == (template.index("[X]") < template.index("[Y]"))
    assert ids[0] == tokenizer.bos_id and ids[-1] == tokenizer.eos_id


def test_candidates_are_tokenized_in_context(words: ClozeModel) -> None:
    def pieces(template: str) -> list[str]:
        relation = Relation("P1", template, ("Paris",), ())
        return [words.tokenizer.token_of(i) for i in candidate_ids(words.tokenizer, relation)[0]]

    assert pieces("[X] is in [Y] .")[0].startswith("▁")
    assert pieces("[Y] is in [X] .")[0].startswith("▁")
    assert not pieces("[X]は[Y]に")[0].startswith("▁")
    assert "".join(pieces("[X]は[Y]に")) == "Paris"


def test_groups_hold_every_candidate_once() -> None:
    groups = group_by_length([[5, 7], [9], [], [7, 5], [9, 9]])
    assert [group.masks for group in groups] == [1, 2]
    assert groups[1].candidates_C.tolist() == [0, 3, 4]
    assert groups[1].unique_ids_U[groups[1].columns_CK].tolist() == [[5, 7], [7, 5], [9, 9]]
    assert group_by_length([[]]) == []


def test_rank_of_the_best_right_answer() -> None:
    scores = np.array([-5, -2, -np.inf, -1, -2], dtype=np.float32)
    assert best_rank(scores, [0]) == 4
    assert best_rank(scores, [0, 3]) == 1
    assert best_rank(scores, [4]) == 3
    assert best_rank(scores, [1, 4]) == 2
    assert best_rank(scores, [2]) is None
    assert best_rank(scores, []) is None


@given(
    st.lists(st.sampled_from([-3.0, -2.0, -1.0, -np.inf]), min_size=1, max_size=9),
    st.data(),
)
def test_rank_agrees_with_sorting(values: list[float], data: st.DataObject) -> None:
    scores = np.array(values, dtype=np.float32)
    gold = data.draw(st.sets(st.integers(0, len(values) - 1), max_size=3))
    order = sorted(range(len(values)), key=lambda column: (-values[column], column))
    expected = [
        place
        for place, column in enumerate(order, 1)
        if column in gold and values[column] > -np.inf
    ]
    rank = best_rank(scores, sorted(gold))
    assert rank == (expected[0] if expected else None)
    if rank == 1:
        assert int(scores.argmax()) in gold


def rows_of(table: pa.Table, variant: str, setting: str) -> dict[str, dict]:
    return {
        row["example_id"]: row
        for row in table.to_pylist()
        if row["variant"] == variant and row["setting"] == setting
    }


def test_predictions_of_words(world: ProbeWorld, words: ClozeModel) -> None:
    result = ask_mlama(words, world.data, world.candidates, world.vocabulary, ["en", "ga", "xx"])
    assert result.table.schema.equals(SCHEMA)
    assert result.report["unavailable"] == {"xx": "mLAMA has no data in this language"}
    english = result.table.filter(pa.compute.equal(result.table["test_set"], "en"))
    full = rows_of(english, WORD_VARIANT, "full")
    assert len(full) == 9
    for relation in relations_of(world, "en"):
        for question in relation.questions:
            row = full[f"{relation.name}/{question.subject}"]
            slow = [
                slow_word_score(words, relation.template, question.subject, candidate)
                for candidate in relation.candidates
            ]
            best = int(np.argmax(slow))
            assert row["prediction"] == relation.candidates[best]
            assert row["score"] == pytest.approx(slow[best], abs=1e-5)
            best_gold = max(slow[relation.candidates.index(name)] for name in row["gold"])
            assert row["gold_rank"] == 1 + sum(score > best_gold for score in slow)
            assert row["triples"] == sum(question.triples)
            assert row["candidates"] == len(relation.candidates)
            assert (row["gold_rank"] == 1) == (row["prediction"] in row["gold"])


def test_restricted_setting_is_that_of_the_run_s_vocabulary(
    world: ProbeWorld, words: ClozeModel, luke: ClozeModel
) -> None:
    tables = {
        asked.variants: ask_mlama(
            asked, world.data, world.candidates, world.vocabulary, ["en"]
        ).table
        for asked in (words, luke)
    }
    restricted = rows_of(tables[words.variants], WORD_VARIANT, "restricted")
    # Ankara, German, French and London have no entity.
    assert sorted(restricted) == [
        "P1303/Ada Lovelace",
        "P36/France",
        "P36/Italy",
        "P37/Italy",
        "P37/Switzerland",
        "P740/Another Band",
        "P740/The Band",
    ]
    assert restricted["P37/Switzerland"]["gold"] == ["Italian"]
    assert restricted["P37/Switzerland"]["triples"] == 1
    # guitar and piano by their capital, violin not.
    assert restricted["P1303/Ada Lovelace"]["candidates"] == 2
    # istanbul -> Istanbul
    assert restricted["P740/The Band"]["candidates"] == 4
    for variant in (OBJECT_VARIANT, BOTH_VARIANT):
        other = rows_of(tables[luke.variants], variant, "restricted")
        assert sorted(other) == sorted(restricted)
        for key, row in other.items():
            assert row["candidates"] == restricted[key]["candidates"]
            assert row["gold"] == restricted[key]["gold"]


def test_entities_cannot_answer_with_what_they_lack(world: ProbeWorld, luke: ClozeModel) -> None:
    result = ask_mlama(luke, world.data, world.candidates, world.vocabulary, ["en"])
    full = rows_of(result.table, OBJECT_VARIANT, "full")
    assert full["P36/Turkey"]["gold_rank"] is None
    assert full["P36/Turkey"]["prediction"] in ("Paris", "Rome", "New York City")
    assert full["P740/Third Band"]["gold_rank"] is None
    both = rows_of(result.table, BOTH_VARIANT, "full")
    given_subjects = {key for key, row in both.items() if row["subject_entity"]}
    assert given_subjects == {"P36/France", "P36/Italy", "P37/Italy", "P740/The Band"}
    for key, row in both.items():
        same = {name: row[name] for name in ("prediction", "score", "gold_rank")}
        alone = {name: full[key][name] for name in same}
        assert (same == alone) == (key not in given_subjects)
    matching = result.report["languages"]["en"]["matching"]
    assert matching["candidates"] == {"exact": 7, "first_letter": 3, "not_found": 6}
    assert matching["candidates_of_model"] == matching["candidates"]
    assert matching["subjects_of_model"] == {"exact": 4, "first_letter": 0, "not_found": 5}


def test_a_model_with_another_vocabulary_is_looked_up_by_title(
    world: ProbeWorld, tmp_path: Path
) -> None:
    smaller = entity_vocabulary(leave_out=("en:Paris",))
    folder = make_model(tmp_path / "luke", world.luke, smaller)
    result = ask_mlama(
        load_model(folder, "entity"), world.data, world.candidates, world.vocabulary, ["en"]
    )
    restricted = rows_of(result.table, OBJECT_VARIANT, "restricted")
    # Paris stays a candidate and an answer, which this model cannot give.
    assert restricted["P36/France"]["candidates"] == 3
    assert restricted["P36/France"]["gold_rank"] is None
    matching = result.report["languages"]["en"]["matching"]
    assert matching["candidates"]["exact"] - matching["candidates_of_model"]["exact"] == 2


def test_a_language_without_an_entity_has_no_restricted_rows(
    world: ProbeWorld, luke: ClozeModel
) -> None:
    cloze = read_language(world.data, world.candidates, "ga")
    table, _ = ask_language(dataclasses.replace(luke), cloze, {})
    assert set(table["setting"].to_pylist()) == {"full"}


def test_a_question_too_long_for_the_model_is_counted(world: ProbeWorld, words: ClozeModel) -> None:
    cloze = read_language(world.data, world.candidates, "ga")
    relation = cloze.relations[0]
    long = Question("band " * 100, ("Páras",), (1,), "Q0")
    cloze.relations = [dataclasses.replace(relation, questions=(*relation.questions, long))]
    table, report = ask_language(words, cloze, {})
    assert report["questions_too_long"] == 1
    assert table.num_rows == 2


def test_nothing_to_answer_with_is_an_empty_prediction(world: ProbeWorld, luke: ClozeModel) -> None:
    relation = Relation(
        "P36", "[X] : [Y]", ("Ankara",), (Question("Turkey", ("Ankara",), (1,), "Q43"),)
    )
    cloze = read_language(world.data, world.candidates, "en")
    cloze.relations = [relation]
    table, _ = ask_language(luke, cloze, {})
    assert table["prediction"].to_pylist() == ["", ""]
    assert table["score"].to_pylist() == [None, None]


def test_wrong_inputs_are_refused(world: ProbeWorld) -> None:
    with pytest.raises(ConfigError, match="without entities"):
        load_model(world.words, "entity")
    with pytest.raises(ConfigError, match="write word or entity"):
        load_model(world.words, "words")


def test_no_language_at_all_is_refused(world: ProbeWorld, words: ClozeModel) -> None:
    with pytest.raises(DataError, match="none of the languages xx"):
        ask_mlama(words, world.data, world.candidates, world.vocabulary, ["xx"])
