"""Ask a model mLAMA's cloze questions and keep its first answer and the rank of the right one.

The predictions, one row for each question, variant and setting:

- run (``pretrained``), seed (0), test_set (language), example_id (``P19/Allan Peiper``), prediction
  (name of the best candidate, empty when none can be scored) and score (its mean or entity
  log-probability, in nats; null without prediction), as in every predictions file;
- variant: ``default`` (word scoring), ``[Y]`` or ``[X]&[Y]`` (entity scoring);
- setting: ``full`` (all candidates and questions) or ``restricted`` (only candidates in the entity
  vocabulary of the run, and only questions one of whose answers is among them);
- relation, subject;
- gold: the right answers that are candidates in this setting (``full``: all right answers);
- gold_rank i32: rank of the best of them, from 1; equal scores rank in the order of the candidate
  list; null when none of them can be scored;
- candidates i32: number of candidates in this setting; triples i32: number of triples behind
  ``gold``; subject_entity bool: whether the model was given the subject's entity.

The file's metadata key ``mluke`` holds under ``report`` what was read, skipped and matched.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.errors import ConfigError, DataError
from mluke_core.io.predictions import PREDICTION_FIELDS
from mluke_core.io.progress import Progress
from mluke_core.io.sources import Source
from mluke_core.modeling.loading import load_for_prediction
from mluke_core.modeling.prediction import MlukeForPrediction
from mluke_core.probes.mlama_data import ClozeData, Question, Relation, languages_of, read_language
from mluke_core.probes.mlama_prompts import candidate_ids, group_by_length, make_prompt
from mluke_core.probes.mlama_scoring import (
    IMPOSSIBLE,
    RelationInput,
    Scores,
    score_entities,
    score_words,
)
from mluke_core.probes.titles import TitleMatcher, reference_titles
from mluke_core.sequences.tokenizer import Tokenizer

log = logging.getLogger("mluke")

RUN_NAME = "pretrained"
WORD_VARIANT = "default"
OBJECT_VARIANT, BOTH_VARIANT = "[Y]", "[X]&[Y]"
FULL, RESTRICTED = "full", "restricted"

SCHEMA = pa.schema(
    [
        *PREDICTION_FIELDS,
        ("variant", pa.string()),
        ("setting", pa.string()),
        ("relation", pa.string()),
        ("subject", pa.string()),
        ("gold", pa.list_(pa.string())),
        ("gold_rank", pa.int32()),
        ("candidates", pa.int32()),
        ("triples", pa.int32()),
        ("subject_entity", pa.bool_()),
    ]
)


@dataclass
class ClozeModel:
    """A model with what its inputs are made of."""

    model: MlukeForPrediction
    tokenizer: Tokenizer
    vocabulary: EntityVocabulary | None
    """The model's own entities; None for word scoring."""

    @property
    def variants(self) -> tuple[str, ...]:
        """What this model is asked with."""
        return (OBJECT_VARIANT, BOTH_VARIANT) if self.vocabulary else (WORD_VARIANT,)


def load_model(folder: Path, inputs: str) -> ClozeModel:
    """Load a model folder for ``word`` or ``entity`` scoring, on the GPU when there is one.

    Raises:
        ConfigError: unknown inputs, or entity inputs of a word-only model.
    """
    if inputs not in ("word", "entity"):
        raise ConfigError(f"inputs is {inputs!r}; write word or entity.")
    model = load_for_prediction(folder)
    vocabulary = None
    if inputs == "entity":
        if not model.has_entities:
            raise ConfigError(
                f"{folder}: a model without entities cannot be asked with inputs: entity. "
                "Write inputs: word for this system, or give it a LUKE model."
            )
        vocabulary = EntityVocabulary.from_json(folder / "entity_vocab.json")
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    return ClozeModel(model, Tokenizer.load(folder), vocabulary)


@dataclass
class ClozeResult:
    """Predictions of all languages, and what happened on the way."""

    table: pa.Table
    report: dict[str, Any] = field(default_factory=dict)


def ask_mlama(
    asked: ClozeModel,
    data: Source,
    candidates: list[Source],
    vocabulary: Path,
    languages: Sequence[str],
    maximum_questions: int | None = None,
    seed: int = 0,
) -> ClozeResult:
    """Score every candidate of every question.

    Args:
        asked: the model.
        data: the unpacked mLAMA archive.
        candidates: sources of candidate lists.
        vocabulary: ``entities/vocabulary.parquet`` of the run, which decides on the restricted
            setting for every system alike.
        languages: asked as far as the data has them.
        maximum_questions: of each relation and language; None for all.
        seed: chooses them.
    """
    available = languages_of(data)
    unavailable: dict[str, str] = {}
    clozes: dict[str, ClozeData] = {}
    for language in languages:
        if language not in available:
            unavailable[language] = "mLAMA has no data in this language"
            continue
        cloze = read_language(data, candidates, language, maximum_questions, seed)
        if cloze.relations:
            clozes[language] = cloze
        else:
            unavailable[language] = "mLAMA has no question with candidates in this language"
    wanted = {
        language: {name for relation in cloze.relations for name in relation.candidates}
        for language, cloze in clozes.items()
    }
    titles = reference_titles(vocabulary, wanted)
    tables = []
    report: dict[str, Any] = {
        "maximum_questions": maximum_questions,
        "languages": {},
        "unavailable": unavailable,
    }
    for language, cloze in clozes.items():
        table, report["languages"][language] = ask_language(asked, cloze, titles[language])
        tables.append(table)
    if not tables:
        raise DataError(
            f"{data.path}: mLAMA has questions in none of the languages {', '.join(languages)}."
        )
    return ClozeResult(pa.concat_tables(tables), report)


def ask_language(
    asked: ClozeModel, cloze: ClozeData, titles: Mapping[str, int]
) -> tuple[pa.Table, dict[str, Any]]:
    """Predictions of one language, and a report on its data and matching.

    Args:
        asked: the model.
        cloze: questions and candidates.
        titles: titles of this language in the reference vocabulary.
    """
    language = cloze.language
    reference = TitleMatcher(titles.get, language)
    allowed = [
        np.array([entity is not None for entity in reference.match_all(relation.candidates)])
        for relation in cloze.relations
    ]
    report: dict[str, Any] = dict(cloze.report)
    matching = {"candidates": reference.counts}
    own = subjects = None
    if asked.vocabulary:
        title_ids = asked.vocabulary.titles_in(language)
        own = TitleMatcher(title_ids.get, language)
        subjects = TitleMatcher(title_ids.get, language)
        matching |= {"candidates_of_model": own.counts, "subjects_of_model": subjects.counts}
    report["matching"] = matching
    report["candidates_without_tokens"] = report["questions_too_long"] = 0
    inputs = []
    questions: list[list[Question]] = []
    for relation in cloze.relations:
        kept, relation_input = _prepare(asked, relation, own, subjects, report)
        questions.append(kept)
        inputs.append(relation_input)
    scores = _score(asked, inputs, language)
    rows: list[tuple[Any, ...]] = []
    for variant in asked.variants:
        for setting in (FULL, RESTRICTED):
            for index, relation in enumerate(cloze.relations):
                columns = (
                    np.flatnonzero(allowed[index])
                    if setting == RESTRICTED
                    else np.arange(len(relation.candidates))
                )
                rows += _rows(
                    (language, variant, setting),
                    relation,
                    questions[index],
                    inputs[index],
                    scores[variant][index],
                    columns,
                )
    return pa.Table.from_arrays(
        [
            pa.array([row[position] for row in rows], type=entry.type)
            for position, entry in enumerate(SCHEMA)
        ],
        schema=SCHEMA,
    ), report


def _prepare(
    asked: ClozeModel,
    relation: Relation,
    own: TitleMatcher | None,
    subjects: TitleMatcher | None,
    report: dict[str, Any],
) -> tuple[list[Question], RelationInput]:
    """Inputs of one relation; questions that do not fit into the model are left out."""
    tokens = candidate_ids(asked.tokenizer, relation)
    groups = group_by_length(tokens)
    report["candidates_without_tokens"] += sum(not ids for ids in tokens)
    longest = groups[-1].masks if groups else 0
    limit = asked.model.config.maximum_length
    kept, prompts = [], []
    for question in relation.questions:
        prompt = make_prompt(asked.tokenizer, relation.template, question.subject)
        if prompt.length(longest) > limit:
            report["questions_too_long"] += 1
            continue
        kept.append(question)
        prompts.append(prompt)
    entities = own.match_all(relation.candidates) if own else []
    return kept, RelationInput(
        prompts,
        groups,
        len(relation.candidates),
        np.array([-1 if entity is None else entity for entity in entities], dtype=np.int64),
        subjects.match_all(question.subject for question in kept) if subjects else [],
    )


def _score(
    asked: ClozeModel, inputs: Sequence[RelationInput], language: str
) -> dict[str, list[Scores]]:
    """Scores of all candidates by variant."""
    mask_id = asked.tokenizer.mask_id
    with Progress(f"mLAMA {language}", unit="forward passes") as progress:
        if asked.vocabulary is None:
            return {WORD_VARIANT: score_words(asked.model, mask_id, inputs, progress)}
        entity_mask = asked.vocabulary.mask_id
        alone = score_entities(asked.model, mask_id, entity_mask, inputs, False, progress)
        both = score_entities(asked.model, mask_id, entity_mask, inputs, True, progress)
    for relation, scores, scores_alone in zip(inputs, both, alone, strict=True):
        # A question whose subject is no entity has the same input in both variants.
        without = np.array([subject is None for subject in relation.subjects], dtype=bool)
        scores[without] = scores_alone[without]
    return {OBJECT_VARIANT: alone, BOTH_VARIANT: both}


def _rows(
    key: tuple[str, str, str],
    relation: Relation,
    questions: Sequence[Question],
    relation_input: RelationInput,
    scores_QC: Scores,
    columns: np.ndarray,
) -> Iterable[tuple[Any, ...]]:
    """Rows of the predictions file for one relation in one setting."""
    language, variant, setting = key
    if not len(columns):
        return
    column_of = {relation.candidates[column]: place for place, column in enumerate(columns)}
    for number, question in enumerate(questions):
        gold = [
            (name, triples)
            for name, triples in zip(question.gold, question.triples, strict=True)
            if setting == FULL or name in column_of
        ]
        if not gold:
            continue
        scores_C = scores_QC[number, columns]
        best = int(scores_C.argmax())
        answered = scores_C[best] > IMPOSSIBLE
        rank = best_rank(scores_C, [column_of[name] for name, _ in gold if name in column_of])
        given = variant == BOTH_VARIANT and relation_input.subjects[number] is not None
        yield (
            RUN_NAME,
            0,
            language,
            f"{relation.name}/{question.subject}",
            relation.candidates[columns[best]] if answered else "",
            float(scores_C[best]) if answered else None,
            variant,
            setting,
            relation.name,
            question.subject,
            [name for name, _ in gold],
            rank,
            len(columns),
            sum(triples for _, triples in gold),
            given,
        )


def best_rank(scores_C: Scores, gold: Sequence[int]) -> int | None:
    """Rank, from 1, of the best of the ``gold`` columns; None when none of them has a score.

    Equal scores rank in the order of the columns, so that rank 1 and the first answer agree.

    >>> best_rank(np.array([-3.0, -1.0, -1.0], dtype=np.float32), [0, 2])
    2
    """
    possible = [column for column in sorted(gold) if scores_C[column] > IMPOSSIBLE]
    if not possible:
        return None
    best = max(possible, key=lambda column: (scores_C[column], -column))
    better = int((scores_C > scores_C[best]).sum())
    return 1 + better + int((scores_C[:best] == scores_C[best]).sum())
