"""Named entity recognition: label every span of a sentence, keep the best that do not overlap.

Shapes: N spans of a batch, T words, E entities, H hidden size, C labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import ClassVar

import numpy as np
import orjson
import torch
import torch.nn.functional as F
from torch import nn

from mluke_core.errors import ConfigError, DataError
from mluke_core.metrics.spans import evaluate
from mluke_core.modeling.encoder import EncoderOutput
from mluke_core.modeling.inputs import PackedBatch
from mluke_core.tasks.base import (
    NO_ENTITIES,
    NO_SPANS,
    Feature,
    IntArray,
    Prediction,
    Task,
)
from mluke_core.tasks.conll_reader import UNREACHABLE, Sentence, parse_spans, read_sentences
from mluke_core.tasks.data import Dataset
from mluke_core.tasks.heads import linear_head
from mluke_core.tasks.ner_spans import (
    Piece,
    candidate_spans,
    chunks,
    context_limits,
    greedy,
    pieces,
    token_starts,
)

OUTSIDE = "O"
ENTITY_FEATURES = ("entity", "token+entity")


class NerTask(Task[Sentence]):
    """Span classification with document context (paper, 4.3).

    Words: first and last token of the span, concatenated. Entities: a ``[MASK]`` entity over the
    span, alone (``entity``) or behind the two tokens (``token+entity``).
    """

    name: ClassVar[str] = "ner"
    metrics: ClassVar[tuple[str, ...]] = ("f1", "precision", "recall")

    def read(self, path: Path, **languages: str) -> Dataset[Sentence]:
        """Read a CoNLL file."""
        return read_sentences(path, languages.get("context_language", "en"))

    def learn_labels(self, train: Dataset[Sentence]) -> None:
        """``O`` and the types of the training data, sorted."""
        kinds = {kind for sentence in train.examples for _, _, kind in sentence.spans}
        self.labels = [OUTSIDE, *sorted(kinds)]

    @property
    def entity_features(self) -> str:
        """``entity`` or ``token+entity``."""
        value = str(self.option("entity_features"))
        if value not in ENTITY_FEATURES:
            raise ConfigError(
                f"tasks.ner.options.entity_features is {value!r}; "
                f"write one of {', '.join(ENTITY_FEATURES)}."
            )
        return value

    def encode(self, dataset: Dataset[Sentence], training: bool) -> list[Feature]:
        """One input per chunk of candidate spans of a sentence.

        A word system at prediction sees all spans of a sentence at once: there the chunks would
        differ in nothing.

        Raises:
            DataError: a type that the training data does not have.
        """
        number_of = {label: number for number, label in enumerate(self.labels)}
        word_ids: dict[str, list[int]] = {}
        features: list[Feature] = []
        source = 0
        for _, group in groupby(dataset.examples, key=lambda sentence: sentence.document):
            sentences = list(group)
            encoded = [
                [self._word(word, word_ids, dataset, sentence) for word in sentence.words]
                for sentence in sentences
            ]
            document = np.array([i for words in encoded for word in words for i in word])
            offset = 0
            for sentence, words in zip(sentences, encoded, strict=True):
                starts = token_starts([len(word) for word in words])
                gold = self._gold(sentence, starts, number_of, dataset)
                features += self._inputs(document, offset, starts, gold, source, training, dataset)
                offset += int(starts[-1])
                source += 1
        return features

    def _word(
        self,
        word: str,
        known: dict[str, list[int]],
        dataset: Dataset[Sentence],
        sentence: Sentence,
    ) -> list[int]:
        ids = known.get(word)
        if ids is None:
            ids = self.tokenizer.encode_with_spans(word, [])[0]
            known[word] = ids
        if not ids:
            dataset.report.count("words without tokens (read as unknown)", sentence.id)
            known[word] = ids = [self.tokenizer.unk_id]
        return ids

    def _gold(
        self,
        sentence: Sentence,
        starts: IntArray,
        number_of: dict[str, int],
        dataset: Dataset[Sentence],
    ) -> dict[tuple[int, int], int]:
        """Label number of each gold span; those that are too long are counted."""
        gold = {}
        for first, last, kind in sentence.spans:
            if kind not in number_of:
                raise DataError(
                    f"{dataset.path}: sentence {sentence.id} has a span of type '{kind}', which "
                    f"the training data lacks. It has: {', '.join(self.labels[1:])}."
                )
            if starts[last] - starts[first] > self.longest_span:
                dataset.report.count("gold spans longer than the limit (missed)", sentence.id)
                unreachable = dataset.report.details.setdefault(UNREACHABLE, [])
                unreachable.append([sentence.id, first, last, kind])
            gold[first, last] = number_of[kind]
        return gold

    @property
    def longest_span(self) -> int:
        """Tokens of the longest candidate."""
        return int(self.option("maximum_mention_tokens"))

    def _inputs(
        self,
        document: IntArray,
        offset: int,
        starts: IntArray,
        gold: dict[tuple[int, int], int],
        source: int,
        training: bool,
        dataset: Dataset[Sentence],
    ) -> Iterator[Feature]:
        maximum = int(self.option("maximum_length"))
        cut = pieces(starts, maximum, self.longest_span)
        if len(cut) > 1:
            dataset.report.count(
                f"sentences of more than {maximum} tokens (read in parts)",
                dataset.examples[source].id,
            )
        limit = int(self.option("maximum_spans"))
        for piece in cut:
            spans = candidate_spans(starts, piece, self.longest_span)
            if not self.uses_entities and not training:
                limit = max(len(spans), 1)
            ids, shift = self._context(document, offset, starts, piece, maximum)
            for part in chunks(spans, limit):
                # Word limits, then the positions of the first and the last token.
                columns = [part, starts[part[:, :1]] + shift, starts[part[:, 1:]] + shift - 1]
                limits = np.concatenate(columns, axis=1)
                target = np.array([gold.get((int(a), int(b)), 0) for a, b in part], dtype=np.int64)
                entities = (NO_ENTITIES, NO_SPANS)
                if self.uses_entities:
                    assert self.entities is not None  # checked when the task was made
                    mask = np.full(len(part), self.entities.mask_id, dtype=np.int64)
                    entities = (mask, limits[:, 2:] + np.array([0, 1]))
                yield Feature(ids, *entities, source, target, limits)

    def _context(
        self,
        document: IntArray,
        offset: int,
        starts: IntArray,
        piece: Piece,
        maximum: int,
    ) -> tuple[IntArray, int]:
        """Word ids of one input, and what to add to a token of the sentence to get its position."""
        begin, end = offset + int(starts[piece.first]), offset + int(starts[piece.last])
        end = min(end, begin + maximum)
        left, right = context_limits(begin, end, len(document), maximum)
        ids = np.empty(right - left + 2, dtype=np.int64)
        ids[0], ids[-1] = self.tokenizer.bos_id, self.tokenizer.eos_id
        ids[1:-1] = document[left:right]
        return ids, offset - left + 1

    def head(self, hidden_size: int, dropout: float) -> nn.Module:
        """Dropout and a linear layer over the span's vectors."""
        vectors = 2
        if self.uses_entities:
            vectors = 1 if self.entity_features == "entity" else 3
        return linear_head(vectors * hidden_size, len(self.labels), dropout)

    def label_counts(self, features: Sequence[Feature]) -> IntArray | None:
        """Candidate spans of each label."""
        targets = np.concatenate([feature.target for feature in features])
        return np.bincount(targets, minlength=len(self.labels))

    def logits(
        self,
        head: nn.Module,
        output: EncoderOutput,
        batch: PackedBatch,
        features: Sequence[Feature],
    ) -> torch.Tensor:
        """N x C."""
        if self.uses_entities and self.entity_features == "entity":
            return head(output.entities_EH)
        rows = torch.from_numpy(_tokens(batch, features)).to(output.words_TH.device)
        spans_NH = output.words_TH[rows].flatten(1)
        if self.uses_entities:
            spans_NH = torch.cat([spans_NH, output.entities_EH], dim=1)
        return head(spans_NH)

    def rows_read(self, batch: PackedBatch, features: Sequence[Feature]) -> IntArray:
        """The spans' entities, and the tokens at the spans' ends where those are read."""
        entities = batch.entity_rows_E.numpy()
        if self.uses_entities and self.entity_features == "entity":
            return entities
        words = batch.word_rows_T.numpy()[np.unique(_tokens(batch, features))]
        return np.concatenate([words, entities])

    def loss(self, logits: torch.Tensor, features: Sequence[Feature]) -> torch.Tensor:
        """Mean cross-entropy over the spans of the batch."""
        targets = np.concatenate([feature.target for feature in features])
        return F.cross_entropy(logits.float(), torch.from_numpy(targets).to(logits.device))

    def loss_weight(self, feature: Feature) -> int:
        """Its spans."""
        return len(feature.target)

    def scores(self, logits: torch.Tensor, features: Sequence[Feature]) -> list[np.ndarray]:
        """Logits of the labels, one row per span."""
        sizes = np.cumsum([len(feature.extra) for feature in features])[:-1]
        return np.split(logits.float().cpu().numpy(), sizes)

    def decode(
        self,
        dataset: Dataset[Sentence],
        features: Sequence[Feature],
        scores: Sequence[np.ndarray],
    ) -> list[Prediction]:
        """Spans as ``[first word, word after the last, type]``; the score is their mean logit."""
        found: list[tuple[list[list[int | str]], float]] = [([], 0.0)] * len(dataset.examples)
        for source, group in groupby(
            zip(features, scores, strict=True), key=lambda pair: pair[0].source
        ):
            parts = list(group)
            spans = np.concatenate([feature.extra[:, :2] for feature, _ in parts])
            logits = np.concatenate([rows for _, rows in parts])
            labels = logits.argmax(axis=1)
            best = logits[np.arange(len(labels)), labels]
            kept = greedy(spans, labels, best)
            if kept:
                named = [[*spans[i].tolist(), self.labels[labels[i]]] for i in kept]
                found[source] = sorted(named), float(best[kept].mean())
        return [
            Prediction(sentence.id, orjson.dumps(spans).decode(), score)
            for sentence, (spans, score) in zip(dataset.examples, found, strict=True)
        ]

    def evaluate(
        self, dataset: Dataset[Sentence], predictions: Sequence[Prediction]
    ) -> dict[str, float]:
        """Span F1, precision and recall; gold spans that are too long count as missed."""
        overall = evaluate(
            [sentence.spans for sentence in dataset.examples],
            [parse_spans(prediction.text) for prediction in predictions],
        ).overall
        return {"f1": overall.f1, "precision": overall.precision, "recall": overall.recall}

    def baseline(
        self, train: Dataset[Sentence], dev: Dataset[Sentence], seed: int
    ) -> dict[str, float]:
        """No spans at all, which is the majority label of the words."""
        return self.evaluate(dev, [Prediction(s.id, "[]", 0.0) for s in dev.examples])


def _tokens(batch: PackedBatch, features: Sequence[Feature]) -> IntArray:
    """Words of the batch that are the first and the last token of each span, N x 2."""
    return np.concatenate(
        [
            feature.extra[:, 2:] + first
            for feature, first in zip(features, batch.word_offsets[:-1], strict=True)
        ]
    )
