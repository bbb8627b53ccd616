"""Which cells of a table differ by more than chance: each system against its baseline.

A *pair* is two systems that share a model, one with word and one with entity inputs (mLUKE-W and
mLUKE-E). Every cell of the second is tested against the cell of the first, on the examples of the
runs that are best on dev.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mluke_core.errors import DataError
from mluke_core.metrics.significance import SAMPLES, Sample, Significance, compare
from mluke_core.reporting.example_scores import (
    ExampleScores,
    Key,
    mlama_examples,
    paired,
    retrieval_examples,
    task_examples,
)
from mluke_core.reporting.gxlt import DIAGONAL_TEST, PAIR_AVERAGES
from mluke_core.reporting.gxlt import TEST as GXLT_TEST
from mluke_core.reporting.scores import Scores
from mluke_core.tasks.score import VARIANT

Examples = dict[Key, ExampleScores]
Load = Callable[[str, str], Examples | None]
"""From system and test to its results; None when it has none."""


class ExampleFiles:
    """Finds and reads the examples of systems and tests in the files given to a step."""

    def __init__(
        self,
        tests: Mapping[str, Mapping[str, Any]],
        scores: Mapping[str, Path],
        predictions: Mapping[str, Path],
        coverage: Mapping[str, Path],
        features: Mapping[str, Path],
        sources: Mapping[str, Path],
    ) -> None:
        """Keys are ``system/test``, of ``tests`` the test, of ``sources`` the source."""
        self._tests, self._scores = tests, scores
        self._predictions, self._coverage = predictions, coverage
        self._features, self._sources = features, sources
        self._read: dict[str, Examples | None] = {}

    def __call__(self, system: str, test: str) -> Examples | None:
        """Results of a system on a test; None when its files were not given."""
        key = f"{system}/{test}"
        if key not in self._read:
            self._read[key] = self._load(key, test)
        return self._read[key]

    def _load(self, key: str, test: str) -> Examples | None:
        if key in self._features:
            return retrieval_examples(self._features[key]) if test == "cwr" else None
        if key not in self._predictions:
            return None
        if test == "mlama":
            return mlama_examples(self._predictions[key])
        if test not in self._tests or key not in self._scores or key not in self._coverage:
            return None
        best = Scores.load(self._scores[key]).runs[0]["run"]
        wanted = _sources_of(self._tests[test], self._sources)
        return task_examples(
            self._tests[test], wanted, self._predictions[key], self._coverage[key], best
        )


def _sources_of(test: Mapping[str, Any], sources: Mapping[str, Path]) -> dict[str, Path]:
    files = test.get("files") or {}
    names = {entry["source"] for entry in files.values()} if files else {test.get("source")}
    return {name: path for name, path in sources.items() if name in names}


def table_significance(
    name: str,
    entry: Mapping[str, Any],
    pairs: Sequence[Mapping[str, str]],
    columns: Mapping[str, Sequence[str]],
    load: Load,
    seed: int,
    draws: int = SAMPLES,
) -> dict[str, Any]:
    """Test every cell of a table of kind ``scores`` that two systems of a pair have.

    Args:
        name: of the table.
        entry: its entry in the configuration.
        pairs: ``{"baseline": system, "system": system}``.
        columns: test → its columns in this run.
        load: reads examples.
        seed: of the random numbers.
        draws: random exchanges, and bootstrap samples, for each cell.

    Returns:
        ``{"table", "draws", "seed", "cells": [{"baseline", "system", "variant", "block",
        "column", "difference", "p", "low", "high", "examples"}], "untested": {block: reason}}``.
    """
    if entry["kind"] != "scores":
        raise DataError(f"{name} is a table of kind {entry['kind']}: only scores can be tested.")
    cells: list[dict[str, Any]] = []
    untested: dict[str, str] = {}
    for block in entry["blocks"]:
        found = [
            cell
            for pair in pairs
            for cell in _block_cells(block, pair, columns.get(block["test"], ()), load, seed, draws)
        ]
        if not found:
            untested[block["label"]] = _untested_reason(block, pairs, load)
        cells += found
    return {"table": name, "draws": draws, "seed": seed, "cells": cells, "untested": untested}


def _block_cells(
    block: Mapping[str, Any],
    pair: Mapping[str, str],
    configured: Sequence[str],
    load: Load,
    seed: int,
    draws: int,
) -> list[dict[str, Any]]:
    first, second = (block_examples(load, pair[role], block) for role in ("baseline", "system"))
    if not first or not second:
        return []
    metric = block["metric"]
    wanted = [*(block.get("columns") or configured)]
    wanted += [block["average"]] if block.get("average") else []
    cells = []
    for variant in dict.fromkeys(key[0] for key in second):
        for column in wanted:
            members = averaged_columns(block, column, second)
            result = tested_columns(first, second, variant, members, metric, seed, draws)
            if result is not None:
                cells.append(
                    {
                        **pair,
                        "variant": variant,
                        "block": block["label"],
                        "column": column,
                        **asdict(result),
                    }
                )
    return cells


def _untested_reason(
    block: Mapping[str, Any], pairs: Sequence[Mapping[str, str]], load: Load
) -> str:
    if block["test"] == "modularity":
        return "one value for a whole graph, no examples to exchange"
    loaded = [
        (load(pair["baseline"], block["test"]), load(pair["system"], block["test"]))
        for pair in pairs
    ]
    both = [second for first, second in loaded if first is not None and second is not None]
    if not both:
        return "no examples of both systems"
    known = sorted({metric for second in both for (_, _, metric) in second})
    if not known:
        return f"nothing counts the examples of {block['test']} (reporting/example_counts.py)"
    if block["metric"] not in known:
        return (
            f"'{block['metric']}' is not made of counts of single examples; "
            f"of {block['test']} these are: {', '.join(known)}"
        )
    return "no column has examples of both systems"


def block_examples(load: Load, system: str, block: Mapping[str, Any]) -> Examples | None:
    """Results of a system on a block's test; G-XLT with MLQA as the pairs of equal languages."""
    found = load(system, block["test"])
    if block["test"] != GXLT_TEST or not found:
        return found
    equal = load(system, DIAGONAL_TEST) or {}
    return {(v, f"{column}-{column}", m): e for (v, column, m), e in equal.items()} | found


def averaged_columns(block: Mapping[str, Any], column: str, examples: Examples) -> list[str]:
    """The columns whose mean a cell shows: those of an average, pairs of languages, or itself."""
    names = list(dict.fromkeys(name for (_, name, _) in examples))
    if column in PAIR_AVERAGES:
        with_equal = PAIR_AVERAGES[column]
        return [name for name in names if with_equal or len(set(name.split("-"))) == 2]
    if column == block.get("average"):
        return [name for name in names if name in block.get("columns", names)]
    return [column]


def tested_columns(
    first: Examples,
    second: Examples,
    variant: str,
    columns: Sequence[str],
    metric: str,
    seed: int,
    draws: int,
) -> Significance | None:
    """Test the mean of columns, as far as both systems have them; None when they have none.

    The first system's variant is the same, or else its only one (words against entities).
    """
    samples: list[Sample] = []
    for column in columns:
        mine = second.get((variant, column, metric))
        other = first.get((variant, column, metric)) or first.get((VARIANT, column, metric))
        sample = paired(other, mine) if mine and other else None
        if sample is not None:
            samples.append(sample)
    return compare(samples, draws, seed) if samples else None
