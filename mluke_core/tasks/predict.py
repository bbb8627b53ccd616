"""Predict a test collection with the selected runs: the step `predict`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mluke_core.errors import DataError
from mluke_core.io.cli import required_settings
from mluke_core.io.files import write_json
from mluke_core.io.parquet import ParquetSink, stage_metadata
from mluke_core.io.predictions import PREDICTION_FIELDS
from mluke_core.tasks.base import Feature
from mluke_core.tasks.collections import test_columns
from mluke_core.tasks.conll_reader import UNREACHABLE
from mluke_core.tasks.data import Dataset
from mluke_core.tasks.model import choose_device, predict_scores
from mluke_core.tasks.select_run import selected_runs
from mluke_core.tasks.settings import MentionFiles, make_task
from mluke_core.tasks.tables import Tables
from mluke_core.tasks.weights import load_weights, read_task

log = logging.getLogger("mluke")

SCHEMA = pa.schema(PREDICTION_FIELDS)


def predict(
    settings: Mapping[str, Any],
    selection: Path,
    weights: Mapping[str, Path],
    model: Path,
    sources: Mapping[str, Path],
    mentions: MentionFiles,
    output: Path,
    coverage: Path,
) -> None:
    """Write the predictions of every selected run, and what was read and linked (``coverage``).

    Args:
        settings: as ``docs/design.md`` lists them for `predict`.
        weights: folders of fine-tuned weights by run; those of other runs are not opened.

    Raises:
        MlukeError: something in the settings or data that the user can mend.
    """
    required_settings(dict(settings), "task", "test", "inputs", "options", "columns")
    runs = selected_runs(selection)
    for run in runs:
        if run["run"] not in weights:
            raise DataError(
                f"{selection} selects run '{run['run']}', which --weights does not give."
            )
    task = make_task(settings, model, mentions)
    columns = test_columns(settings, sources)
    labels = _common_labels([weights[run["run"]] for run in runs], task.name)
    task.labels = labels
    datasets: dict[str, Dataset[Any]] = {}
    features: dict[str, list[Feature]] = {}
    for column in columns:
        if column.path is not None:
            datasets[column.name] = task.read(column.path, **column.languages)
            features[column.name] = task.encode(datasets[column.name], training=False)
    tables = Tables.of([feature for column in features.values() for feature in column])
    device = choose_device()
    precision = str(settings.get("precision", "fp32"))
    with ParquetSink(output, SCHEMA, stage_metadata("predict", dict(settings))) as sink:
        for run in runs if datasets else ():
            tuned = load_weights(weights[run["run"]], model, task, tables).to(device)
            for name, dataset in datasets.items():
                scores = predict_scores(tuned, features[name], precision, f"{run['run']} {name}")
                for prediction in task.decode(dataset, features[name], scores):
                    sink.append(
                        (
                            run["run"],
                            run["seed"],
                            name,
                            prediction.example_id,
                            prediction.text,
                            prediction.score,
                        )
                    )
    write_json(
        coverage,
        {
            "task": task.name,
            "test": settings["test"],
            "labels": labels,
            "columns": {
                name: _coverage(dataset, features[name]) for name, dataset in datasets.items()
            },
            "unavailable": {c.name: c.missing for c in columns if c.path is None},
            UNREACHABLE: {
                name: dataset.report.details.get(UNREACHABLE, [])
                for name, dataset in datasets.items()
            },
        },
    )


def _common_labels(folders: Sequence[Path], task: str) -> list[str]:
    """The inventory of labels, which the runs of one search share."""
    facts = [read_task(folder) for folder in folders]
    for folder, entry in zip(folders, facts, strict=True):
        if entry["task"] != task:
            raise DataError(f"{folder}: fine-tuned for task '{entry['task']}', not '{task}'.")
        if entry["labels"] != facts[0]["labels"]:
            raise DataError(f"{folder}: other labels than {folders[0]}; fine-tune both again.")
    return list(facts[0]["labels"]) if facts else []


def _coverage(dataset: Dataset[Any], features: Sequence[Feature]) -> dict[str, Any]:
    """What was read, and how many examples have entities as inputs."""
    examples = len(dataset.examples)
    sources = np.array([feature.source for feature in features], dtype=np.int64)
    entities = np.array([len(feature.entity_ids) for feature in features], dtype=np.int64)
    per_example = np.bincount(sources, weights=entities, minlength=examples)
    facts = dataset.report.facts
    total = facts.get("entities", int(per_example.sum()))
    return {
        "examples": examples,
        "inputs": len(features),
        "with_entities": facts.get("with_entities", int((per_example > 0).sum())),
        "entities_per_example": round(total / examples, 4) if examples else 0.0,
        **dataset.report.as_json(),
    }
