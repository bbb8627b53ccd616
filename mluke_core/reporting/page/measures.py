"""All measures of every test, averaged: also those that no table of the paper has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mluke_core.reporting import plan
from mluke_core.reporting.gxlt import PAIR_AVERAGES
from mluke_core.reporting.gxlt import TEST as GXLT_TEST
from mluke_core.reporting.run_folder import RunFolder
from mluke_core.reporting.score_tables import COLUMN_LABELS, row_label
from mluke_core.reporting.scores import Scores
from mluke_core.reporting.text import format_value

NAMES = {
    "f1": "F1",
    "em": "exact match",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1_reachable": "F1 within limit",
    "micro": "P@1",
    "triple": "P@1 by triple",
    "macro": "P@1 macro",
    "p5": "P@5",
    "p10": "P@10",
    "mrr": "MRR",
    "modularity": "modularity",
}
GROUPS = {"restricted": "candidates in the entity vocabulary", "full": "all candidates"}
"""mLAMA's settings, which its metrics begin with."""
_SWEEP = re.compile(r"modularity_k(\d+)")


@dataclass(frozen=True)
class Measures:
    """The measures of one test: a row per system and variant, a column per measure."""

    test: str
    averaged: str
    """What each value is the mean over."""
    groups: Sequence[tuple[str, int]]
    """Headings above the columns, and their widths; empty for none."""
    columns: list[str]
    rows: Sequence[tuple[str, Sequence[tuple[float | None, str]]]]
    """Label, and for each column the value and its text."""


def measure_tables(run: RunFolder) -> list[Measures]:
    """A table per test that has scores; values are those of the best run on dev."""
    tables = []
    for test in run.tests:
        files = {name: found for name in run.systems if (found := run.scores(name, test))}
        if files:
            tables.append(_table(run, test, files))
    return tables


def _table(run: RunFolder, test: str, files: dict[str, Scores]) -> Measures:
    if test == GXLT_TEST:
        # Both averages are in the scores.
        sets = {COLUMN_LABELS[name]: [name] for name in PAIR_AVERAGES}
        averaged = "pairs of languages"
    else:
        columns = plan.test_columns(run.config, test)
        scored = {
            c for scores in files.values() for found in scores.results.values() for c in found
        }
        sets = {"": [column for column in columns if column in scored]}
        averaged = ", ".join(sets[""])
    metrics = _metrics(files)
    decimals = 2 if test == "modularity" else 1
    rows = []
    for system, scores in files.items():
        for variant in scores.results:
            values = [
                _mean(scores, variant, columns, metric)
                for columns in sets.values()
                for metric in metrics
            ]
            cells = [(value, format_value(value, decimals)) for value in values]
            rows.append((row_label(run.systems[system], variant), cells))
    names = [_name(metric) for metric in metrics]
    groups = [(label, len(metrics)) for label in sets if label] or _groups(metrics)
    return Measures(test, averaged, groups, names * len(sets), rows)


def _metrics(files: dict[str, Scores]) -> list[str]:
    """All metrics, in the order of the score files."""
    return list(
        dict.fromkeys(
            metric
            for scores in files.values()
            for columns in scores.results.values()
            for metrics in columns.values()
            for metric in metrics
        )
    )


def _mean(scores: Scores, variant: str, columns: Sequence[str], metric: str) -> float | None:
    found = [values[0] for c in columns if (values := scores.values(variant, c, metric))]
    return fmean(found) if found else None


def _name(metric: str) -> str:
    if sweep := _SWEEP.fullmatch(metric):
        return f"k = {sweep[1]}"
    setting, _, rest = metric.partition("_")
    return NAMES.get(rest if setting in GROUPS else metric, metric)


def _groups(metrics: Sequence[str]) -> list[tuple[str, int]]:
    found: dict[str, Any] = {}
    for metric in metrics:
        label = GROUPS.get(metric.partition("_")[0], "")
        found[label] = found.get(label, 0) + 1
    return list(found.items()) if len(found) > 1 else []
