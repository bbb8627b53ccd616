"""Named entity recognition: micro F1 of labelled spans, as ``conlleval`` counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mluke_core.metrics.counts import Counts

Span = tuple[int, int, str]  # first word, word after the last, type


@dataclass(frozen=True)
class SpanScores:
    """Counts over all types, and per type."""

    overall: Counts
    per_type: dict[str, Counts]


def spans_of_tags(tags: Sequence[str]) -> list[Span]:
    """Spans of one sentence from IOB1 or IOB2 tags, read as ``conlleval`` reads them.

    A span starts at ``B-``, and at ``I-`` after ``O`` or after another type.

    >>> spans_of_tags(["I-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-ORG"])
    [(0, 2, 'PER'), (3, 4, 'LOC'), (4, 5, 'LOC'), (5, 6, 'ORG')]
    """
    spans: list[Span] = []
    start, kind = 0, ""
    for position, tag in enumerate([*tags, "O"]):
        prefix, _, tag_kind = tag.partition("-")
        if kind and (prefix != "I" or tag_kind != kind):
            spans.append((start, position, kind))
            kind = ""
        if prefix != "O" and not kind:
            start, kind = position, tag_kind
    return spans


def evaluate(gold: Sequence[Iterable[Span]], predicted: Sequence[Iterable[Span]]) -> SpanScores:
    """Score the spans of a list of sentences; a span is right when limits and type agree.

    Raises:
        ValueError: the two lists differ in length.

    >>> scores = evaluate([[(0, 2, "PER"), (4, 5, "LOC")]], [[(0, 2, "PER"), (4, 5, "ORG")]])
    >>> scores.overall.f1, scores.per_type["PER"].f1, scores.per_type["LOC"].f1
    (50.0, 100.0, 0.0)
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold sentences but {len(predicted)} predicted ones")
    counts: dict[str, Counter[str]] = {
        "gold": Counter(),
        "predicted": Counter(),
        "right": Counter(),
    }
    for gold_spans, predicted_spans in zip(gold, predicted, strict=True):
        gold_set, predicted_set = set(gold_spans), set(predicted_spans)
        counts["gold"].update(kind for _, _, kind in gold_set)
        counts["predicted"].update(kind for _, _, kind in predicted_set)
        counts["right"].update(kind for _, _, kind in gold_set & predicted_set)
    kinds = sorted(counts["gold"].keys() | counts["predicted"].keys())
    per_type = {
        kind: Counts(counts["gold"][kind], counts["predicted"][kind], counts["right"][kind])
        for kind in kinds
    }
    overall = Counts(*(counts[name].total() for name in ("gold", "predicted", "right")))
    return SpanScores(overall, per_type)


def tags_of_spans(spans: Iterable[Span], words: int) -> list[str]:
    """IOB2 tags of a sentence; of spans that overlap the later in order wins.

    >>> tags_of_spans([(0, 2, "PER"), (3, 4, "LOC")], 5)
    ['B-PER', 'I-PER', 'O', 'B-LOC', 'O']
    """
    tags = ["O"] * words
    for start, end, kind in sorted(spans):
        tags[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    return tags


def conlleval_report(scores: SpanScores, words: int, right_tags: int) -> str:
    """Scores laid out as ``conlleval`` prints them.

    Args:
        words: tokens of all sentences.
        right_tags: tokens whose IOB2 tag is right.
    """
    overall = scores.overall
    accuracy = 100.0 * right_tags / words if words else 0.0
    lines = [
        f"processed {words} tokens with {overall.gold} phrases; "
        f"found: {overall.predicted} phrases; correct: {overall.correct}.",
        f"accuracy: {accuracy:6.2f}%; {_rates(overall)}",
    ]
    lines += [
        f"{kind:>17}: {_rates(counts)}  {counts.predicted}"
        for kind, counts in scores.per_type.items()
    ]
    return "\n".join(lines)


def _rates(counts: Counts) -> str:
    return (
        f"precision: {counts.precision:6.2f}%; recall: {counts.recall:6.2f}%; FB1: {counts.f1:6.2f}"
    )
