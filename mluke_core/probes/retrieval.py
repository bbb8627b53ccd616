"""Contextualized word retrieval (Table 2): does an English answer find its translation?

For every question that MLQA's development set has in English and in another language, the query is
the answer in its English context, the pool all answers of the other language in theirs, and the one
with the same id is right. A span is the mean of its output word vectors, or, for entity inputs, the
output vector of one ``[MASK]`` entity over it. Similarity is the cosine, the measure the mean
reciprocal rank. Nothing is fine-tuned (section 5.1 of the paper; protocol, 6.4).

Shapes: Q queries, P pool, H hidden size.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.errors import DataError
from mluke_core.io.progress import Progress
from mluke_core.io.sources import Source
from mluke_core.metrics.ranking import mean_reciprocal_rank
from mluke_core.modeling.encoder import Encoder, EncoderOutput
from mluke_core.modeling.inputs import Example, PackedBatch
from mluke_core.modeling.loading import load_encoder
from mluke_core.probes.features import Vectors, check_inputs, encode_all
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks.squad_reader import read_questions

log = logging.getLogger("mluke")

PIVOT = "en"
FILE = "MLQA_V1/dev/dev-context-{language}-question-{language}.json"
RUN = {"run": "pretrained", "seed": 0}


@dataclass(frozen=True, slots=True)
class Span:
    """An answer in its context, cut to what the model can read."""

    id: str
    example: Example
    start: int
    end: int
    """Token positions of the answer in the example, end exclusive."""


@dataclass
class SpanSet:
    """The answers of one language."""

    spans: list[Span] = field(default_factory=list)
    report: dict[str, int] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        """Question ids, in the order of the file."""
        return [span.id for span in self.spans]


def read_spans(path: Path, tokenizer: Tokenizer, maximum_length: int) -> SpanSet:
    """First answers of a file's questions, in a window of the context around them.

    The context is cut at the answer's ends before it is tokenized, so that the span holds the
    answer and nothing else. Answers that are not in their context or have no token are left out
    and counted.
    """
    dataset = read_questions(path)
    result = SpanSet()
    report = {"spans": 0, "windows": 0, "cut_answers": 0, "left_out": 0}
    for question in dataset.examples:
        answer = question.answers[0]
        if answer.start is None:
            report["left_out"] += 1
            continue
        ids, [(start, end)] = tokenizer.encode_with_spans(
            question.context, [(answer.start, answer.start + len(answer.text))]
        )
        if start == end:
            report["left_out"] += 1
            continue
        budget = maximum_length - 2
        first, last = window(len(ids), start, end, budget)
        report["windows"] += len(ids) > budget
        report["cut_answers"] += end > last
        input_ids = [tokenizer.bos_id, *ids[first:last], tokenizer.eos_id]
        result.spans.append(
            Span(question.id, Example(input_ids), start - first + 1, min(end, last) - first + 1)
        )
    report["spans"] = len(result.spans)
    result.report = report
    return result


def window(length: int, start: int, end: int, budget: int) -> tuple[int, int]:
    """Tokens of a context to keep around a span: as much before as behind it, ``budget`` in all.

    A span longer than the budget keeps its first tokens.

    >>> window(100, 48, 52, 10), window(100, 1, 2, 10), window(100, 99, 100, 10)
    ((45, 55), (0, 10), (90, 100))
    """
    if length <= budget:
        return 0, length
    spare = max(budget - (end - start), 0)
    first = min(max(start - spare // 2, 0), length - budget)
    return first, first + budget


class SpanEncoder:
    """Vectors of spans, for ``word`` or ``entity`` inputs."""

    def __init__(self, folder: Path, inputs: str) -> None:
        masks: list[int] | None = None
        vocabulary = folder / "entity_vocab.json"
        if vocabulary.exists():
            masks = [EntityVocabulary.from_json(vocabulary).mask_id]
        self.encoder: Encoder = load_encoder(folder, masks)
        check_inputs(inputs, self.encoder, folder)
        self.encoder.to("cuda" if torch.cuda.is_available() else "cpu")
        self.entity_inputs = inputs == "entity"
        self.tokenizer = Tokenizer.load(folder)

    def __call__(self, spans: Sequence[Span], progress: Progress | None = None) -> Vectors:
        """One vector per span. Equal inputs are encoded once, so that their ties are exact."""
        place_of: dict[tuple[tuple[int, ...], int, int], int] = {}
        places = [
            place_of.setdefault(
                (tuple(span.example.input_ids), span.start, span.end), len(place_of)
            )
            for span in spans
        ]
        keys = list(place_of)
        if self.entity_inputs:
            # Row 0 of the reduced entity table is [MASK].
            examples = [Example(ids, [0], [(start, end)]) for ids, start, end in keys]
            vectors = encode_all(self.encoder, examples, _pick_entities, progress)
        else:

            def pick(
                output: EncoderOutput, batch: PackedBatch, numbers: Sequence[int]
            ) -> torch.Tensor:
                means = [
                    output.words_TH[offset + keys[number][1] : offset + keys[number][2]].mean(0)
                    for offset, number in zip(batch.word_offsets[:-1], numbers, strict=True)
                ]
                return torch.stack(means)

            vectors = encode_all(self.encoder, [Example(ids) for ids, _, _ in keys], pick, progress)
        return vectors[places]


def _pick_entities(
    output: EncoderOutput, batch: PackedBatch, numbers: Sequence[int]
) -> torch.Tensor:
    return output.entities_EH


def probe_retrieval(
    folder: Path, inputs: str, source: Source, languages: Sequence[str], maximum_length: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Scores of all languages, and the features behind them.

    Returns:
        Content of the scores file less ``system``; and arrays ``{language}_ids`` and
        ``{language}_vectors`` (P x H) of every language, English included.

    Raises:
        DataError: there is no English file, or none of the other languages.
    """
    encoder = SpanEncoder(folder, inputs)
    limit = min(maximum_length, encoder.encoder.config.maximum_length)
    present = [language for language in languages if FILE.format(language=language) in source]
    if not present:
        raise DataError(
            f"{source.path}: no development file of any language of {', '.join(languages)}; "
            f"expected names such as {FILE.format(language=languages[0] if languages else 'de')}."
        )
    sets: dict[str, SpanSet] = {}
    vectors: dict[str, Vectors] = {}
    names = [PIVOT, *(language for language in present if language != PIVOT)]
    for language in names:
        path = source.file(FILE.format(language=language))
        sets[language] = read_spans(path, encoder.tokenizer, limit)
    total = sum(len(spans.spans) for spans in sets.values())
    with Progress("CWR", total, "spans") as progress:
        for language, spans in sets.items():
            vectors[language] = encoder(spans.spans, progress)
    scores = score_retrieval(sets, vectors, languages)
    features = {}
    for language in names:
        features[f"{language}_ids"] = np.array(sets[language].ids)
        features[f"{language}_vectors"] = vectors[language]
    return scores, features


def score_retrieval(
    sets: Mapping[str, SpanSet], vectors: Mapping[str, Vectors], languages: Sequence[str]
) -> dict[str, Any]:
    """The scores file of vectors already computed."""
    results: dict[str, dict[str, list[float]]] = {}
    counts: dict[str, int] = {}
    unavailable: dict[str, str] = {}
    details: dict[str, dict[str, int]] = {}
    queries = sets[PIVOT].ids
    for language in languages:
        if language not in sets:
            unavailable[language] = "MLQA has no development set in this language"
            continue
        place_of = {span_id: place for place, span_id in enumerate(sets[language].ids)}
        parallel = [number for number, span_id in enumerate(queries) if span_id in place_of]
        if not parallel:
            unavailable[language] = "no question is also in the English development set"
            continue
        right = [place_of[queries[number]] for number in parallel]
        value = mean_reciprocal_rank(vectors[PIVOT][parallel], vectors[language], right)
        results[language] = {"mrr": [100 * value]}
        counts[language] = len(parallel)
        details[language] = {
            "queries": len(parallel),
            "queries_without_parallel": len(queries) - len(parallel),
            "pool": len(place_of),
            **{f"pool_{key}": value for key, value in sets[language].report.items()},
        }
    return {
        "test": "cwr",
        "runs": [RUN],
        "results": {"default": results},
        "counts": counts,
        "coverage": {},
        "unavailable": unavailable,
        "notes": ["Tied candidates count with their expected reciprocal rank."],
        "details": {"languages": details, "english": sets[PIVOT].report},
    }
