"""Choose the run of a search that is best on the English development set: the step `select_run`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mluke_core.errors import DataError
from mluke_core.io.cli import required_settings
from mluke_core.io.files import read_json, write_json


def select_run(settings: Mapping[str, Any], results: Sequence[Path], output: Path) -> None:
    """Write the selection of the runs in ``results`` (paths of ``result.json``).

    The run with the best score wins; of equal ones the first in the order given. All seeds of its
    grid point are marked as selected. The ``weights`` folders beside the other results are removed
    unless ``keep_weights``: those runs have lost.

    Raises:
        DataError: a result lacks the metric, two are of the same run, or the weights of a selected
            run are gone, because it had lost an earlier, smaller search.
    """
    task, metric = required_settings(dict(settings), "task", "metric")
    runs = [_read(path, metric) for path in results]
    names = [run["run"] for run in runs]
    if len(set(names)) != len(names):
        raise DataError(f"two results are of the same run; given were {', '.join(names)}.")
    if not runs:
        raise DataError("no results to select from: give --results.")
    best = max(runs, key=lambda run: run["dev"])
    selected = [run for run in runs if run["point"] == best["point"] and run is not best]
    order = [best, *selected]
    lost = [run for run in runs if run not in order]
    gone = [run for run in order if not run["folder"].is_dir()]
    if gone:
        raise DataError(
            f"the weights of {', '.join(run['run'] for run in gone)} are selected but gone: they "
            "were removed when the run had lost an earlier search. Delete "
            f"{', '.join(str(run['folder'].with_name('result.json')) for run in gone)} to train "
            "again."
        )
    write_json(
        output,
        {
            "task": task,
            "metric": metric,
            "best": best["run"],
            "runs": [
                {
                    "run": run["run"],
                    "dev": run["dev"],
                    "selected": run["point"] == best["point"],
                    "seed": run["seed"],
                    "weights": run["weights"],
                }
                for run in [*order, *lost]
            ],
        },
    )
    if not settings.get("keep_weights", False):
        for run in lost:
            shutil.rmtree(run["folder"], ignore_errors=True)


def selected_runs(path: Path) -> list[dict[str, Any]]:
    """The selected runs of a ``selection.json``, the best first, as ``{"run", "seed"}``."""
    selection = read_json(path)
    if not isinstance(selection, dict) or not {"best", "runs"} <= selection.keys():
        raise DataError(f"{path}: not a selection. Delete it so that it is made again.")
    runs = [run for run in selection["runs"] if run["selected"]]
    runs.sort(key=lambda run: run["run"] != selection["best"])
    return [{"run": run["run"], "seed": run["seed"]} for run in runs]


def _read(path: Path, metric: str) -> dict[str, Any]:
    result = read_json(path)
    try:
        run = result["settings"]["run"]
        return {
            "run": result["run"],
            "seed": run["seed"],
            "dev": result["dev"][metric],
            "weights": result["weights"],
            "folder": path.with_name("weights"),
            "point": {key: value for key, value in run.items() if key not in ("seed", "name")},
        }
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path}: not a result of finetune with the dev metric '{metric}' (lacks {error})."
        ) from None
