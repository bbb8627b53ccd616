"""Score and selection files as the tables read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mluke_core.errors import DataError
from mluke_core.io.files import read_json

VARIANT_ORDER = ["default", "[Y]", "[X]&[Y]"]
RUN_NAME = re.compile(r"lr(?P<learning_rate>.+)-b(?P<batch_size>\d+)-s(?P<seed>\d+)")


def require_keys(path: str | Path, content: Any, keys: Sequence[str], what: str) -> None:
    """Raise :class:`DataError` unless ``content`` is an object that has all ``keys``."""
    if not isinstance(content, dict):
        raise DataError(f"{path}: not {what}: a JSON object was expected.")
    missing = [key for key in keys if key not in content]
    if missing:
        raise DataError(
            f"{path}: not {what}: it lacks {', '.join(missing)}. Delete it to have it remade."
        )


@dataclass(frozen=True)
class Scores:
    """One ``results/<scale>/scores/{system}/{test}.json``."""

    path: Path
    system: str
    test: str
    runs: list[dict[str, Any]]
    results: dict[str, dict[str, dict[str, list[float | None]]]]
    """variant → column → metric → one value per run, the best run on dev first."""
    counts: dict[str, int]
    """column → number of examples."""
    unavailable: dict[str, str]
    """column → why there are no scores for it."""
    notes: list[str]
    details: dict[str, Any]

    @classmethod
    def load(cls, path: str | Path) -> Scores:
        """Read and check a score file.

        Raises:
            DataError: keys are missing, or a list has not one value per run.
        """
        content = read_json(path)
        require_keys(path, content, ["system", "test", "runs", "results"], "a score file")
        for variant, columns in content["results"].items():
            for column, metrics in columns.items():
                for metric, values in metrics.items():
                    if not isinstance(values, list) or len(values) != len(content["runs"]):
                        raise DataError(
                            f"{path}: results/{variant}/{column}/{metric} must be a list with one "
                            f"value for each of the {len(content['runs'])} runs. Delete the file "
                            "so that it is made again."
                        )
        return cls(
            path=Path(path),
            system=content["system"],
            test=content["test"],
            runs=content["runs"],
            results=content["results"],
            counts=content.get("counts") or {},
            unavailable=content.get("unavailable") or {},
            notes=content.get("notes") or [],
            details=content.get("details") or {},
        )

    def values(self, variant: str, column: str, metric: str) -> list[float] | None:
        """One value per run, or None where the column has none (or one that is not a number)."""
        values = self.results.get(variant, {}).get(column, {}).get(metric)
        if not values or any(value is None for value in values):
            return None
        return [float(value) for value in values if value is not None]

    def reason(self, column: str) -> str:
        """Why :meth:`values` is None for ``column``, for a reader of the table."""
        if column in self.unavailable:
            return self.unavailable[column]
        if any(column in columns for columns in self.results.values()):
            return "no value: nothing to score in this run"
        return "language not in this run"


class ScoreBook:
    """All score files of a table, by system and test."""

    def __init__(self, files: Iterable[Scores], missing: Mapping[str, str] | None = None) -> None:
        self._missing = missing or {}
        self._files: dict[tuple[str, str], Scores] = {}
        for scores in files:
            key = scores.system, scores.test
            if key in self._files:
                raise DataError(
                    f"{scores.path} and {self._files[key].path} both hold the scores of system "
                    f"'{scores.system}' on '{scores.test}'; give one of them."
                )
            self._files[key] = scores

    @classmethod
    def load(
        cls, paths: Iterable[str | Path], missing: Mapping[str, str] | None = None
    ) -> ScoreBook:
        """Read every score file.

        Args:
            paths: score files.
            missing: test → why no system has scores for it.

        Raises:
            DataError: a file is damaged or given twice.
        """
        return cls((Scores.load(path) for path in paths), missing)

    def absence(self, test: str) -> str:
        """Why :meth:`get` is None for a test, for a reader of the table."""
        return self._missing.get(test, "not scored in this run")

    def get(self, system: str, test: str) -> Scores | None:
        """The scores of one system on one test, or None."""
        return self._files.get((system, test))

    def variants(self, system: str, tests: Iterable[str]) -> list[str]:
        """Variants that any of ``tests`` has for ``system``: default, [Y], [X]&[Y], others."""
        found = {
            variant
            for test in tests
            if (scores := self.get(system, test))
            for variant in scores.results
        }
        known = [variant for variant in VARIANT_ORDER if variant in found]
        return known + sorted(found.difference(VARIANT_ORDER)) or ["default"]


@dataclass(frozen=True)
class Selection:
    """One ``results/<scale>/finetuned/{system}/{task}/selection.json``."""

    path: Path
    system: str
    task: str
    metric: str
    best: str
    runs: list[dict[str, Any]]

    @classmethod
    def load(cls, path: str | Path) -> Selection:
        """Read a selection; the system is the name of the folder two above when not in the file.

        Raises:
            DataError: keys are missing, or the best run is not among the runs.
        """
        path = Path(path)
        content = read_json(path)
        require_keys(path, content, ["task", "metric", "best", "runs"], "a selection")
        if content["best"] not in {run["run"] for run in content["runs"]}:
            raise DataError(f"{path}: the best run '{content['best']}' is not among its runs.")
        system = content.get("system") or path.absolute().parent.parent.name
        return cls(
            path, system, content["task"], content["metric"], content["best"], content["runs"]
        )

    @property
    def best_settings(self) -> dict[str, str]:
        """``learning_rate``, ``batch_size`` and ``seed`` of the best run, read from its name."""
        match = RUN_NAME.fullmatch(self.best)
        if match is None:
            raise DataError(
                f"{self.path}: the run name '{self.best}' is not of the form lr0.001-b16-s1."
            )
        return match.groupdict()

    @property
    def best_dev(self) -> float:
        """Dev score of the best run."""
        return next(float(run["dev"]) for run in self.runs if run["run"] == self.best)

    @property
    def selected_dev(self) -> list[float]:
        """Dev scores of all seeds of the best grid point, best first."""
        return [float(run["dev"]) for run in self.runs if run.get("selected")] or [self.best_dev]
