"""Extractive question answering: the answer is a span of the context (paper, 4.1).

Shapes: B windows, S positions of a padded window (the null position, then context tokens), T
words, H hidden size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mluke_core.errors import ConfigError
from mluke_core.metrics.squad import evaluate
from mluke_core.modeling.encoder import EncoderOutput
from mluke_core.modeling.inputs import PackedBatch
from mluke_core.tasks.answers import best_spans
from mluke_core.tasks.base import (
    NO_ENTITIES,
    NO_SPANS,
    Feature,
    IntArray,
    Prediction,
    Task,
)
from mluke_core.tasks.data import Dataset
from mluke_core.tasks.heads import linear_head
from mluke_core.tasks.squad_reader import Question, read_questions
from mluke_core.tasks.wordwise import WordwiseTokenizer

# A window must leave room for some context behind the question and the special tokens.
MINIMUM_CONTEXT = 16

# Position 0 of a window's logits: "the answer is not here".
NULL = 0

# How the best spans of a question's windows are compared, of `options.window_score`; the first is
# also that of the development set, whose scores belong to training.
WINDOW_SCORES = ("above_null", "logits")


@dataclass(frozen=True)
class TokenizedText:
    """Tokens of a text, the characters of each, and the entities found in it (as token spans)."""

    ids: IntArray
    starts: IntArray
    ends: IntArray
    entity_ids: IntArray
    entity_spans: IntArray

    def tokens_of(self, start: IntArray, end: IntArray) -> IntArray:
        """Token spans (end exclusive) that cover the characters ``start`` to ``end``, N x 2."""
        first = np.searchsorted(self.ends, start, side="right")
        last = np.searchsorted(self.starts, end, side="left")
        return np.stack([first, last], axis=-1)


@dataclass(frozen=True, slots=True)
class Window:
    """Where a window's context stands: in the input, and in the tokens of the whole context."""

    position: int
    """Position of its first context token in the input."""
    first: int
    """That token's number in the context."""
    size: int
    """Context tokens in the window."""
    context: TokenizedText


class QaTask(Task[Question]):
    """Start and end logits over the context, and a null position for windows without the answer.

    With ``entity`` inputs the entities that the linker finds in question and context are given
    to the encoder; the answer is still read off the words.
    """

    name: ClassVar[str] = "qa"
    metrics: ClassVar[tuple[str, ...]] = ("f1", "em")
    links_entities: ClassVar[bool] = True

    def read(self, path: Path, **languages: str) -> Dataset[Question]:
        """Read a file in the SQuAD format."""
        return read_questions(path, **languages)

    @cached_property
    def _words(self) -> WordwiseTokenizer:
        return WordwiseTokenizer(self.tokenizer)

    def encode(self, dataset: Dataset[Question], training: bool) -> list[Feature]:
        """One input per window; in training a question whose answer is nowhere is left out."""
        contexts: dict[tuple[str, str], TokenizedText] = {}
        features: list[Feature] = []
        linked = found = 0
        used = Counter(self.linker.used) if self.linker else Counter()
        for source, question in enumerate(dataset.examples):
            key = (question.context, question.title)
            if key not in contexts:
                contexts[key] = self._tokenize(
                    question.context, dataset.context_language, question.title, dataset
                )
            context = contexts[key]
            answer = self._answer_tokens(question, context) if training else None
            if training and answer is None:
                dataset.report.count("questions without an answer to learn (left out)", question.id)
                continue
            asked = self._tokenize(
                question.question, dataset.question_language, question.title, dataset
            )
            windows = list(self._windows(question, asked, context, answer, source, dataset))
            entities = sum(len(window.entity_ids) for window in windows)
            linked += bool(entities)
            found += len(asked.entity_ids) + len(context.entity_ids)
            features += windows
        dataset.report.facts["windows"] = len(features)
        dataset.report.facts["with_entities"] = linked
        dataset.report.facts["entities"] = found
        if self.linker:
            dataset.report.facts["mentions"] = dict(sorted((self.linker.used - used).items()))
        return features

    def _tokenize(
        self, text: str, language: str, title: str, dataset: Dataset[Question]
    ) -> TokenizedText:
        tokenized = TokenizedText(*self._words.encode(text), NO_ENTITIES, NO_SPANS)
        if not self.uses_entities:
            return tokenized
        if self.linker is None:
            raise ConfigError("question answering with entities needs --mentions.")
        mentions = self.linker.find(text, language, title, dataset.title_language)
        if not mentions:
            return tokenized
        spans = tokenized.tokens_of(
            np.array([mention.start for mention in mentions]),
            np.array([mention.end for mention in mentions]),
        )
        ids = np.array([mention.entity_id for mention in mentions], dtype=np.int64)
        whole = spans[:, 0] < spans[:, 1]
        return TokenizedText(
            tokenized.ids, tokenized.starts, tokenized.ends, ids[whole], spans[whole]
        )

    def _answer_tokens(self, question: Question, context: TokenizedText) -> IntArray | None:
        """Tokens (end exclusive) of the first answer that can be placed, or None."""
        for answer in question.answers:
            if answer.start is None:
                continue
            end = answer.start + len(answer.text)
            span = context.tokens_of(np.array(answer.start), np.array(end))
            if span[0] < span[1]:
                return span
        return None

    def _windows(
        self,
        question: Question,
        asked: TokenizedText,
        context: TokenizedText,
        answer: IntArray | None,
        source: int,
        dataset: Dataset[Question],
    ) -> list[Feature]:
        limit = int(self.option("maximum_question_tokens"))
        if len(asked.ids) > limit:
            dataset.report.count(f"questions cut to {limit} tokens", question.id)
        head = np.concatenate([[self.tokenizer.bos_id], asked.ids[:limit], self._separators])
        room = int(self.option("maximum_length")) - len(head) - 1
        if room < MINIMUM_CONTEXT:
            raise ConfigError(
                f"tasks.qa.options: maximum_length leaves {room} tokens for the context after a "
                f"question of {limit}; write a larger maximum_length."
            )
        stride = min(int(self.option("stride")), room)
        asked_kept = asked.entity_spans[:, 1] <= limit
        if not len(context.ids):
            dataset.report.count("contexts without tokens (answered with nothing)", question.id)
        features = []
        for first in range(0, len(context.ids), stride):
            window = Window(len(head), first, min(room, len(context.ids) - first), context)
            last = first + window.size
            ids = np.concatenate([head, context.ids[first:last], [self.tokenizer.eos_id]])
            target = (NULL, NULL)
            if answer is not None and first <= answer[0] and answer[1] <= last:
                target = (int(answer[0]) - first + 1, int(answer[1]) - first)
            inside = (context.entity_spans[:, 0] >= first) & (context.entity_spans[:, 1] <= last)
            most = int(self.option("maximum_entities")) if self.uses_entities else 0
            entity_ids = np.concatenate([asked.entity_ids[asked_kept], context.entity_ids[inside]])
            entity_spans = np.concatenate(
                [
                    asked.entity_spans[asked_kept] + 1,
                    context.entity_spans[inside] + (window.position - first),
                ]
            )
            features.append(
                Feature(ids, entity_ids[:most], entity_spans[:most], source, target, window)
            )
            if last >= len(context.ids):
                break
        return features

    @cached_property
    def _separators(self) -> list[int]:
        """What stands between question and context: ``</s></s>``, or one ``[SEP]`` for BERT."""
        end = self.tokenizer.eos_id
        bert = self.tokenizer.token_of(self.tokenizer.bos_id) == "[CLS]"
        return [end] if bert else [end, end]

    def head(self, hidden_size: int, dropout: float) -> nn.Module:
        """Dropout and a linear layer to a start and an end logit."""
        return linear_head(hidden_size, 2, dropout)

    def logits(
        self,
        head: nn.Module,
        output: EncoderOutput,
        batch: PackedBatch,
        features: Sequence[Feature],
    ) -> torch.Tensor:
        """2 x B x S: start and end logits; -inf behind the end of a window."""
        windows: list[Window] = [feature.extra for feature in features]
        sizes = np.array([window.size for window in windows])
        steps = np.arange(sizes.max() + 1)
        context = np.array([window.position for window in windows])[:, None] + steps - 1
        valid = steps <= sizes[:, None]
        rows = np.where(valid & (steps > NULL), context, 0) + batch.word_offsets[:-1, None]
        device = output.words_TH.device
        logits_BS2 = head(output.words_TH)[torch.from_numpy(rows).to(device)]
        valid_BS1 = torch.from_numpy(valid).to(device)[:, :, None]
        return logits_BS2.masked_fill(~valid_BS1, -torch.inf).permute(2, 0, 1)

    def loss(self, logits: torch.Tensor, features: Sequence[Feature]) -> torch.Tensor:
        """Mean of the cross-entropies of start and end."""
        targets = torch.tensor([feature.target for feature in features], device=logits.device)
        start_BS, end_BS = logits.float()
        return (
            F.cross_entropy(start_BS, targets[:, 0]) + F.cross_entropy(end_BS, targets[:, 1])
        ) / 2

    @property
    def window_score(self) -> str:
        """``above_null`` or ``logits``."""
        value = str(self.options.get("window_score", WINDOW_SCORES[0]))
        if value not in WINDOW_SCORES:
            raise ConfigError(
                f"tasks.qa.options.window_score is {value!r}; "
                f"write one of {', '.join(WINDOW_SCORES)}."
            )
        return value

    def scores(self, logits: torch.Tensor, features: Sequence[Feature]) -> list[np.ndarray]:
        """Per window: first token, last token (of the context), and what it is compared by.

        That is the sum of the span's two logits, with ``above_null`` less those of position 0.
        """
        logits = logits.float()
        start_B, end_B, score_B = best_spans(
            logits[0, :, 1:],
            logits[1, :, 1:],
            int(self.option("beam")),
            int(self.option("maximum_answer_tokens")),
        )
        if self.window_score == "above_null":
            score_B = score_B - logits[:, :, NULL].sum(0)
        first = np.array([feature.extra.first for feature in features])
        columns = (
            start_B.cpu().numpy() + first,
            end_B.cpu().numpy() + first,
            score_B.cpu().numpy(),
        )
        return list(np.stack(columns, axis=1))

    def decode(
        self,
        dataset: Dataset[Question],
        features: Sequence[Feature],
        scores: Sequence[np.ndarray],
    ) -> list[Prediction]:
        """The best answer over a question's windows, cut from the original text.

        Every question gets an answer: the null score at most makes windows comparable.
        """
        best: dict[int, tuple[float, str]] = {}
        for feature, (first, last, score) in zip(features, scores, strict=True):
            source, text = feature.source, feature.extra.context
            if source not in best or score > best[source][0]:
                start, end = text.starts[int(first)], text.ends[int(last)]
                best[source] = score, dataset.examples[source].context[start:end].strip()
        return [
            Prediction(question.id, answer, float(score))
            for question, (score, answer) in (
                (question, best.get(source, (0.0, "")))
                for source, question in enumerate(dataset.examples)
            )
        ]

    def evaluate(
        self, dataset: Dataset[Question], predictions: Sequence[Prediction]
    ) -> dict[str, float]:
        """F1 and exact match by the SQuAD rules (development sets are English)."""
        result = evaluate(
            {prediction.example_id: prediction.text for prediction in predictions},
            {question.id: question.texts for question in dataset.examples},
        )
        return {"f1": result.f1, "em": result.em}

    def baseline(
        self, train: Dataset[Question], dev: Dataset[Question], seed: int
    ) -> dict[str, float]:
        """Random words of the context, as many as an answer of the training data has."""
        generator = np.random.default_rng(seed)
        lengths = [len(question.texts[0].split()) for question in train.examples]
        guesses = []
        for question in dev.examples:
            words = question.context.split()
            length = max(1, min(lengths[generator.integers(len(lengths))], len(words)))
            start = int(generator.integers(len(words) - length + 1)) if words else 0
            guesses.append(Prediction(question.id, " ".join(words[start : start + length]), 0.0))
        return self.evaluate(dev, guesses)
