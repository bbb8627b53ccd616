"""Relation classification: the directed relation between two marked mentions (paper, 4.2).

Shapes: B sequences, T words, E entities, H hidden size, C labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mluke_core.errors import DataError
from mluke_core.metrics.relx import evaluate, relations_of
from mluke_core.modeling.encoder import EncoderOutput
from mluke_core.modeling.inputs import PackedBatch
from mluke_core.tasks.base import NO_ENTITIES, NO_SPANS, Feature, IntArray, Prediction, Task
from mluke_core.tasks.data import Dataset
from mluke_core.tasks.heads import linear_head
from mluke_core.tasks.relation_reader import RelationExample, read_relations

# The embeddings of the markers <ent> and <ent2> start from these, as in the released code.
MARKER_SEEDS = ("@", "#")


class RelationTask(Task[RelationExample]):
    """Words: head and tail wrapped in markers, features = first marker of each.

    Entities: ``[MASK]`` over the head and ``[MASK2]`` over the tail, markers included, features =
    the two entity vectors.
    """

    name: ClassVar[str] = "relation"
    metrics: ClassVar[tuple[str, ...]] = ("macro_f1", "micro_f1", "accuracy")

    def added_tokens(self) -> list[str]:
        """Markers of head and tail."""
        return list(MARKER_SEEDS)

    def read(self, path: Path, **languages: str) -> Dataset[RelationExample]:
        """Read a file of KBP-37 or RELX."""
        return read_relations(path, languages.get("context_language", "en"))

    def learn_labels(self, train: Dataset[RelationExample]) -> None:
        """The labels of the training data, sorted; ``no_relation`` is one of them."""
        self.labels = sorted({example.label for example in train.examples})

    def encode(self, dataset: Dataset[RelationExample], training: bool) -> list[Feature]:
        """One input per sentence.

        Raises:
            DataError: a label that the training data does not have.
        """
        number_of = {label: number for number, label in enumerate(self.labels)}
        features = []
        for source, example in enumerate(dataset.examples):
            if example.label not in number_of:
                raise DataError(
                    f"{dataset.path}: record {example.id} has the label '{example.label}', which "
                    f"the training data lacks. It has: {', '.join(self.labels)}."
                )
            ids, spans = self._mark(example, dataset)
            entities = (NO_ENTITIES, NO_SPANS)
            if self.uses_entities:
                entities = np.array(self._mask_entities()), np.array(spans)
            target, markers = number_of[example.label], (spans[0][0], spans[1][0])
            features.append(Feature(np.array(ids), *entities, source, target, markers))
        return features

    def _mask_entities(self) -> tuple[int, int]:
        assert self.entities is not None  # checked when the task was made
        if self.entities.mask2_id is None:
            raise DataError(
                f"{self.entities.name}: no [MASK2] in it, which relation classification with "
                "entities needs. Export the model with export_model, which adds it."
            )
        return self.entities.mask_id, self.entities.mask2_id

    def _mark(
        self, example: RelationExample, dataset: Dataset[RelationExample]
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """Word ids with markers, and the tokens of both mentions, markers included."""
        tokens, spans = self.tokenizer.encode_with_spans(example.text, [example.head, example.tail])
        # At one place a mention ends before an empty one stands, and that before one begins.
        inserted = sorted(
            (position, 1 if start == end else 0 if closing else 2, number, closing)
            for number, (start, end) in enumerate(spans)
            for closing, position in ((False, start), (True, end))
        )
        ids = [self.tokenizer.bos_id]
        limits = [[0, 0], [0, 0]]
        done = 0
        for position, _, number, closing in inserted:
            ids += tokens[done:position]
            done = position
            limits[number][closing] = len(ids)
            ids.append(self.vocabulary_size + number)
        ids += [*tokens[done:], self.tokenizer.eos_id]
        maximum = int(self.option("maximum_length"))
        if len(ids) > maximum:
            dataset.report.count(f"sentences cut to {maximum} tokens", example.id)
            ids, limits = _cut(ids, limits, maximum)
        return ids, [(start, end + 1) for start, end in limits]

    def head(self, hidden_size: int, dropout: float) -> nn.Module:
        """Dropout and a linear layer over the two concatenated vectors."""
        return linear_head(2 * hidden_size, len(self.labels), dropout)

    def label_counts(self, features: Sequence[Feature]) -> IntArray | None:
        """Sentences of each label."""
        return np.bincount([feature.target for feature in features], minlength=len(self.labels))

    def logits(
        self,
        head: nn.Module,
        output: EncoderOutput,
        batch: PackedBatch,
        features: Sequence[Feature],
    ) -> torch.Tensor:
        """B x C."""
        if self.uses_entities:
            pairs_BH = output.entities_EH.reshape(len(features), -1)
        else:
            rows = torch.from_numpy(_markers(batch, features)).to(output.words_TH.device)
            pairs_BH = output.words_TH[rows].flatten(1)
        return head(pairs_BH)

    def rows_read(self, batch: PackedBatch, features: Sequence[Feature]) -> IntArray:
        """Two of each sentence."""
        if self.uses_entities:
            return batch.entity_rows_E.numpy()
        return batch.word_rows_T.numpy()[_markers(batch, features)].ravel()

    def loss(self, logits: torch.Tensor, features: Sequence[Feature]) -> torch.Tensor:
        """Mean cross-entropy."""
        targets = torch.tensor([feature.target for feature in features], device=logits.device)
        return F.cross_entropy(logits.float(), targets)

    def scores(self, logits: torch.Tensor, features: Sequence[Feature]) -> list[np.ndarray]:
        """Log-probabilities of the labels."""
        return list(logits.float().log_softmax(-1).cpu().numpy())

    def decode(
        self,
        dataset: Dataset[RelationExample],
        features: Sequence[Feature],
        scores: Sequence[np.ndarray],
    ) -> list[Prediction]:
        """The most probable label of each sentence."""
        predictions = []
        for feature, row in zip(features, scores, strict=True):
            best = int(row.argmax())
            example = dataset.examples[feature.source]
            predictions.append(Prediction(example.id, self.labels[best], float(row[best])))
        return predictions

    def evaluate(
        self, dataset: Dataset[RelationExample], predictions: Sequence[Prediction]
    ) -> dict[str, float]:
        """Macro and micro F1 over the relations of the training data, and accuracy."""
        result = evaluate(
            [example.label for example in dataset.examples],
            [prediction.text for prediction in predictions],
            relations_of(self.labels),
        )
        return {
            "macro_f1": result.macro_f1,
            "micro_f1": result.micro_f1,
            "accuracy": result.accuracy,
        }

    def baseline(
        self, train: Dataset[RelationExample], dev: Dataset[RelationExample], seed: int
    ) -> dict[str, float]:
        """Always the most frequent label of the training data."""
        counts = Counter(example.label for example in train.examples)
        majority = min(counts, key=lambda label: (-counts[label], label))
        guesses = [Prediction(example.id, majority, 0.0) for example in dev.examples]
        return self.evaluate(dev, guesses)


def _markers(batch: PackedBatch, features: Sequence[Feature]) -> IntArray:
    """Words of the batch that are the first marker of head and tail, B x 2."""
    return np.array([feature.extra for feature in features]) + batch.word_offsets[:-1, None]


def _cut(
    ids: list[int], limits: list[list[int]], maximum: int
) -> tuple[list[int], list[list[int]]]:
    """Keep first, last and marker tokens, and of the others those nearest to a marker."""
    markers = np.array(sorted(position for pair in limits for position in pair))
    positions = np.arange(len(ids))
    distance = np.abs(positions[:, None] - markers).min(axis=1)
    distance[[0, -1]] = 0
    kept = np.sort(np.lexsort((positions, distance))[:maximum])
    moved = {int(old): new for new, old in enumerate(kept)}
    return (
        [ids[position] for position in kept],
        [[moved[position] for position in pair] for pair in limits],
    )
