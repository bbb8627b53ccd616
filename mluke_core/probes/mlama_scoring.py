"""Score the candidates of mLAMA questions with words or with entities.

Word score: a candidate of k tokens is scored in the question with k masks, by the mean
log-probability of its tokens. Entity score: the same input with one ``[MASK]`` entity over the k
masks, by the log-probability of the candidate's entity among all entities; ``[X]&[Y]`` gives the
subject's entity as well, where it is in the vocabulary (section 6 of the paper; protocol, 6.6).

There is one forward pass for each question and number of masks. Candidates are scored by gathering
their logits and subtracting one log-normaliser for each mask or entity.

Shapes: Q questions, C candidates, K masks, U distinct word ids, N rows, H hidden size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray

from mluke_core.io.progress import Progress
from mluke_core.modeling.inputs import Example, pack
from mluke_core.modeling.prediction import MlukeForPrediction
from mluke_core.probes.mlama_prompts import LengthGroup, Prompt

# Tokens of one forward pass. Large enough to keep matrix products busy, small enough for the
# activations of a large model on a small GPU.
TOKEN_BUDGET = 8192

Scores = NDArray[np.float32]
IMPOSSIBLE = -np.inf
"""Score of a candidate that a system cannot answer with."""


@dataclass(frozen=True)
class RelationInput:
    """What the scoring of one relation needs; the order of ``prompts`` is that of the questions."""

    prompts: Sequence[Prompt]
    groups: Sequence[LengthGroup]
    candidate_count: int
    entities: NDArray[np.int64]
    """Entity id of each candidate, -1 for none; empty for word scoring."""
    subjects: Sequence[int | None]
    """Entity id of each question's subject; empty for word scoring."""

    def empty_scores(self) -> Scores:
        """Q x C, filled with :data:`IMPOSSIBLE`."""
        return np.full((len(self.prompts), self.candidate_count), IMPOSSIBLE, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Job:
    """One question with one number of masks."""

    relation: int
    group: LengthGroup
    question: int
    example: Example
    first_mask: int


@torch.inference_mode()
def score_words(
    model: MlukeForPrediction,
    mask_id: int,
    relations: Sequence[RelationInput],
    progress: Progress | None = None,
) -> list[Scores]:
    """Mean log-probability of every candidate, for each relation Q x C."""
    results = [relation.empty_scores() for relation in relations]
    device = next(model.parameters()).device
    for batch_jobs in _batches(_word_jobs(relations, mask_id)):
        batch = pack([job.example for job in batch_jobs], device)
        rows = np.concatenate(
            [
                batch.word_offsets[i] + job.first_mask + np.arange(job.group.masks)
                for i, job in enumerate(batch_jobs)
            ]
        )
        hidden_LH = model.encoder.encode(batch)
        at = torch.from_numpy(rows).to(device)
        features_NH = model.word_features(hidden_LH[batch.word_rows_T[at]])
        normalizer_N = model.word_log_normalizer(features_NH)
        first = 0
        for relation, group, members in _groups(batch_jobs):
            last = first + len(members) * group.masks
            unique_U = torch.from_numpy(group.unique_ids_U).to(device)
            logits_NU = model.word_logits(features_NH[first:last], unique_U)
            logp_QKU = (logits_NU - normalizer_N[first:last, None]).view(
                len(members), group.masks, -1
            )
            columns_CK = torch.from_numpy(group.columns_CK).to(device)
            total_QC = sum(
                logp_QKU[:, k].index_select(1, columns_CK[:, k]) for k in range(group.masks)
            )
            assert isinstance(total_QC, torch.Tensor)
            _store(results[relation], members, group.candidates_C, total_QC / group.masks)
            first = last
        if progress:
            progress.update(len(batch_jobs))
    return results


@torch.inference_mode()
def score_entities(
    model: MlukeForPrediction,
    mask_id: int,
    entity_mask_id: int,
    relations: Sequence[RelationInput],
    with_subject: bool,
    progress: Progress | None = None,
) -> list[Scores]:
    """Log-probability of every candidate's entity, for each relation Q x C.

    Args:
        model: a LUKE model.
        mask_id: the word ``<mask>``.
        entity_mask_id: the entity ``[MASK]``.
        relations: with entity ids of candidates and subjects.
        with_subject: give the subject's entity too, and ask only the questions that have one; the
            others are left at :data:`IMPOSSIBLE`.
        progress: counts forward passes.
    """
    results = [relation.empty_scores() for relation in relations]
    jobs = _entity_jobs(relations, mask_id, entity_mask_id, with_subject)
    device = next(model.parameters()).device
    for batch_jobs in _batches(jobs):
        batch = pack([job.example for job in batch_jobs], device)
        # The masked entity is the last one of each question.
        at = torch.from_numpy(batch.entity_offsets[1:] - 1).to(device)
        hidden_LH = model.encoder.encode(batch)
        features_NE = model.entity_features(hidden_LH[batch.entity_rows_E[at]])
        normalizer_N = model.entity_log_normalizer(features_NE)
        first = 0
        for relation_index, group, members in _groups(batch_jobs):
            last = first + len(members)
            entities_C = relations[relation_index].entities[group.candidates_C]
            known_C = entities_C >= 0
            ids = torch.from_numpy(entities_C[known_C]).to(device)
            logits_QC = model.entity_logits(features_NE[first:last], ids)
            logp_QC = logits_QC - normalizer_N[first:last, None]
            _store(results[relation_index], members, group.candidates_C[known_C], logp_QC)
            first = last
        if progress:
            progress.update(len(batch_jobs))
    return results


def _word_jobs(relations: Sequence[RelationInput], mask_id: int) -> Iterator[_Job]:
    for index, relation in enumerate(relations):
        for group in relation.groups:
            for question, prompt in enumerate(relation.prompts):
                first_mask, _ = prompt.object_span(group.masks)
                example = prompt.example(group.masks, mask_id)
                yield _Job(index, group, question, example, first_mask)


def _entity_jobs(
    relations: Sequence[RelationInput], mask_id: int, entity_mask_id: int, with_subject: bool
) -> Iterator[_Job]:
    for index, relation in enumerate(relations):
        for group in relation.groups:
            # Without a candidate to predict at this length, the question need not be asked.
            if (relation.entities[group.candidates_C] < 0).all():
                continue
            for question, prompt in enumerate(relation.prompts):
                first_mask, end = prompt.object_span(group.masks)
                entities, spans = [entity_mask_id], [(first_mask, end)]
                if with_subject:
                    subject = relation.subjects[question]
                    if subject is None:
                        continue
                    entities.insert(0, subject)
                    spans.insert(0, prompt.subject_span(group.masks))
                example = prompt.example(group.masks, mask_id, entities, spans)
                yield _Job(index, group, question, example, first_mask)


def _batches(jobs: Iterable[_Job]) -> Iterator[list[_Job]]:
    batch: list[_Job] = []
    tokens = 0
    for job in jobs:
        length = len(job.example.input_ids) + len(job.example.entity_ids)
        if batch and tokens + length > TOKEN_BUDGET:
            yield batch
            batch, tokens = [], 0
        batch.append(job)
        tokens += length
    if batch:
        yield batch


def _groups(jobs: Sequence[_Job]) -> Iterator[tuple[int, LengthGroup, list[int]]]:
    """(relation, group, questions) of jobs that stand side by side and share a group."""
    for (relation, _), members in groupby(jobs, key=lambda job: (job.relation, job.group.masks)):
        listed = list(members)
        yield relation, listed[0].group, [job.question for job in listed]


def _store(
    scores: Scores, questions: list[int], candidates: NDArray[np.int64], values: torch.Tensor
) -> None:
    scores[np.ix_(np.array(questions), candidates)] = values.float().cpu().numpy()
