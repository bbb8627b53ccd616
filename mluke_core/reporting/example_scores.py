"""What two systems did on each example: the counts that significance tests exchange.

A *result* is one (variant, column, metric) of a score file. For each there are N x K counts, the
ids of the N examples, and the measure that makes the metric out of their totals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from mluke_core.errors import DataError
from mluke_core.io.files import read_json
from mluke_core.metrics import relx
from mluke_core.metrics.significance import Measure, Sample, f1, macro_f1, rate
from mluke_core.tasks.collections import test_columns
from mluke_core.tasks.score import VARIANT, read_predictions
from mluke_core.tasks.scorers import RelxScorer, Scorer, SpansScorer, SquadScorer, scorer_class

Key = tuple[str, str, str]
"""(variant, column, metric)."""
METRICS = {"squad": "f1", "mlqa": "f1", "relx": "macro_f1", "spans": "f1"}
"""The metric of the tables, by scorer."""


@dataclass(frozen=True)
class ExampleScores:
    """One result of one system; ``counts_NK`` in the order of ``ids``."""

    ids: tuple[str, ...]
    counts_NK: np.ndarray
    measure: Measure


def paired(first: ExampleScores, second: ExampleScores) -> Sample | None:
    """The examples that both systems have, in the order of the first; None without any."""
    place = {example: row for row, example in enumerate(second.ids)}
    rows = [row for row, example in enumerate(first.ids) if example in place]
    if not rows or first.counts_NK.shape[1] != second.counts_NK.shape[1]:
        return None
    others = [place[first.ids[row]] for row in rows]
    return Sample(first.counts_NK[rows], second.counts_NK[others], first.measure)


def task_examples(
    settings: Mapping[str, Any],
    sources: Mapping[str, Path],
    predictions: Path,
    coverage: Path,
    run: str,
) -> dict[Key, ExampleScores]:
    """Results of one run of a fine-tuned system on a test collection.

    Args:
        settings: those of the step `score`: ``test``, ``metrics``, ``columns``, ``files``.
        sources: name → manifest of the gold data.
        predictions: predictions of the system, all its runs.
        coverage: what `predict` recorded beside them.
        run: the run to take.

    Raises:
        DataError: a file is damaged, or has no predictions of the run.
    """
    metrics = settings["metrics"]
    scorer, metric, covered = scorer_class(metrics), METRICS[metrics], read_json(coverage)
    answers = read_predictions(predictions)
    found: dict[Key, ExampleScores] = {}
    for column in test_columns(settings, sources):
        if column.path is None:
            continue
        given = answers.get((run, column.name))
        if given is None:
            raise DataError(f"{predictions}: no predictions of run '{run}' for '{column.name}'.")
        gold = scorer(column, covered)
        counts, measure = COUNTERS[metrics](gold, given)
        found[VARIANT, column.name, metric] = ExampleScores(tuple(gold.ids), counts, measure)
    return found


def _answer_counts(gold: Scorer, given: Mapping[str, str]) -> tuple[np.ndarray, Measure]:
    scores = cast(SquadScorer, gold).evaluate(given).per_question
    rows = [[scores[example][1] if example in scores else 0.0, 1.0] for example in gold.ids]
    return np.array(rows), rate


def _relation_counts(gold: Scorer, given: Mapping[str, str]) -> tuple[np.ndarray, Measure]:
    scorer = cast(RelxScorer, gold)
    number = {relation: index for index, relation in enumerate(scorer.relations)}
    counts = np.zeros((len(scorer.ids), 3 * len(number)))
    for row, (example, label) in enumerate(zip(scorer.ids, scorer.golds, strict=True)):
        predicted = given.get(example, relx.NO_RELATION)
        for offset, text in enumerate((label, predicted)):
            index = number.get(relx.relation_of(text))
            if index is not None:
                counts[row, 3 * index + offset] = 1
                if label == predicted:
                    counts[row, 3 * index + 2] = 1
    return counts, macro_f1


def _span_counts(gold: Scorer, given: Mapping[str, str]) -> tuple[np.ndarray, Measure]:
    scorer = cast(SpansScorer, gold)
    rows = []
    for right, predicted in zip(scorer.golds, scorer._found(given), strict=True):
        one, other = set(right), set(predicted)
        rows.append([len(one), len(other), len(one & other)])
    return np.array(rows, dtype=np.float64), f1


COUNTERS: dict[str, Callable[[Scorer, Mapping[str, str]], tuple[np.ndarray, Measure]]] = {
    "squad": _answer_counts,
    "mlqa": _answer_counts,
    "relx": _relation_counts,
    "spans": _span_counts,
}


def mlama_examples(predictions: Path) -> dict[Key, ExampleScores]:
    """Results ``restricted_micro`` and ``full_micro`` of every variant and language.

    Raises:
        DataError: the file is not one of mLAMA predictions.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = ["variant", "setting", "test_set", "example_id", "gold_rank"]
    try:
        table = pq.read_table(predictions, columns=columns)
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise DataError(f"{predictions}: not mLAMA predictions ({error}).") from None
    grouped: dict[Key, tuple[list[str], list[list[float]]]] = {}
    for variant, setting, language, example, rank in zip(
        *(table[name].to_pylist() for name in columns), strict=True
    ):
        ids, rows = grouped.setdefault((variant, language, f"{setting}_micro"), ([], []))
        ids.append(example)
        rows.append([float(rank == 1), 1.0])
    return {key: ExampleScores(tuple(i), np.array(r), rate) for key, (i, r) in grouped.items()}


def retrieval_examples(features: Path) -> dict[Key, ExampleScores]:
    """Results ``mrr`` of every language, from the vectors that `probe_retrieval` keeps.

    Raises:
        DataError: the file has no vectors of answer spans.
    """
    from mluke_core.io.features import read_features
    from mluke_core.metrics.ranking import reciprocal_ranks

    vectors = read_features(features)
    english = vectors.pop("en", None)
    if english is None:
        raise DataError(f"{features}: no English vectors. Delete it so that it is made again.")
    found: dict[Key, ExampleScores] = {}
    for language, (ids, pool) in vectors.items():
        place = {example: row for row, example in enumerate(ids)}
        rows = [row for row, example in enumerate(english[0]) if example in place]
        if not rows:
            continue
        queries = [english[0][row] for row in rows]
        right = [place[example] for example in queries]
        ranks = reciprocal_ranks(english[1][rows], pool, right)
        counts = np.stack([ranks, np.ones(len(rows))], axis=1)
        found[VARIANT, language, "mrr"] = ExampleScores(tuple(queries), counts, rate)
    return found
