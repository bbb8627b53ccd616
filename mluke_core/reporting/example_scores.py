"""What two systems did on each example: the counts that significance tests exchange.

A *result* is one (variant, column, metric) of a score file. For each there are the ids of the N
examples, and what they count for the metric (:mod:`mluke_core.reporting.example_counts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mluke_core.errors import DataError
from mluke_core.io.files import read_json
from mluke_core.metrics.lama import NEVER
from mluke_core.metrics.significance import Sample
from mluke_core.reporting.example_counts import COUNTERS, Counted, cloze_counts, rank_counts
from mluke_core.tasks.collections import test_columns
from mluke_core.tasks.score import VARIANT, read_predictions
from mluke_core.tasks.scorers import scorer_class

Key = tuple[str, str, str]
"""(variant, column, metric)."""


@dataclass(frozen=True)
class ExampleScores:
    """One result of one system; its counts are in the order of ``ids``."""

    ids: tuple[str, ...]
    counted: Counted


def paired(first: ExampleScores, second: ExampleScores) -> Sample | None:
    """The examples that both systems have, in the order of the first; None without any.

    None, too, where the metric is a mean over other classes.
    """
    place = {example: row for row, example in enumerate(second.ids)}
    rows = [row for row, example in enumerate(first.ids) if example in place]
    one, other = first.counted, second.counted
    if not rows or one.classes != other.classes:
        return None
    others = [place[first.ids[row]] for row in rows]
    return Sample(one.count()[rows], other.count()[others], one.measure)


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

    Returns:
        Nothing where the scorer has no counter.

    Raises:
        DataError: a file is damaged, or has no predictions of the run.
    """
    metrics = settings["metrics"]
    if metrics not in COUNTERS:
        return {}
    scorer, covered = scorer_class(metrics), read_json(coverage)
    answers = read_predictions(predictions)
    found: dict[Key, ExampleScores] = {}
    for column in test_columns(settings, sources):
        if column.path is None:
            continue
        given = answers.get((run, column.name))
        if given is None:
            raise DataError(f"{predictions}: no predictions of run '{run}' for '{column.name}'.")
        gold = scorer(column, covered)
        for name, entry in COUNTERS[metrics](gold, given).items():
            found[VARIANT, column.name, name] = ExampleScores(tuple(gold.ids), entry)
    return found


def mlama_examples(predictions: Path) -> dict[Key, ExampleScores]:
    """Results ``restricted_…`` and ``full_…`` of every variant and language.

    Raises:
        DataError: the file is not one of mLAMA predictions.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = ["variant", "setting", "test_set", "example_id", "gold_rank", "triples", "relation"]
    try:
        table = pq.read_table(predictions, columns=columns)
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise DataError(f"{predictions}: not mLAMA predictions ({error}).") from None
    grouped: dict[tuple[str, str, str], list[tuple[str, int, int, str]]] = {}
    for variant, setting, language, example, rank, triples, relation in zip(
        *(table[name].to_pylist() for name in columns), strict=True
    ):
        rows = grouped.setdefault((variant, setting, language), [])
        rows.append((example, NEVER if rank is None else rank, triples, relation))
    found: dict[Key, ExampleScores] = {}
    for (variant, setting, language), rows in grouped.items():
        ids, ranks, triples, relations = zip(*rows, strict=True)
        counted = cloze_counts(np.array(ranks), np.array(triples), relations)
        for name, entry in counted.items():
            found[variant, language, f"{setting}_{name}"] = ExampleScores(ids, entry)
    return found


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
        for name, entry in rank_counts(ranks).items():
            found[VARIANT, language, name] = ExampleScores(tuple(queries), entry)
    return found
