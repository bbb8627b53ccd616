"""A finished run, for what reads whole runs: the report and the comparison of runs.

This is the one module of the library that knows how ``results/<scale>`` is laid out. The
configuration is that of ``provenance.json``: what the run was made with, whatever ``config.yaml``
says now.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from mluke_core.config import tests as tasks_of_tests
from mluke_core.errors import DataError
from mluke_core.io.files import read_json
from mluke_core.reporting import plan
from mluke_core.reporting.build import build_table
from mluke_core.reporting.example_scores import ExampleScores, Key
from mluke_core.reporting.scores import Scores, require_keys
from mluke_core.reporting.significance import ExampleFiles
from mluke_core.reporting.tables import Table


class RunFolder:
    """Files of ``results/<scale>``.

    Raises:
        DataError: the folder has no provenance: the run is not finished.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not (self.path / "provenance.json").exists():
            raise DataError(
                f"{self.path}: no provenance.json, so this is no finished run. Give a folder such "
                "as results/mini after `snakemake` has built everything."
            )
        self.provenance: dict[str, Any] = read_json(self.path / "provenance.json")
        require_keys(
            self.path / "provenance.json",
            self.provenance,
            ["commit", "configuration", "environment", "inputs", "scale"],
            "the provenance of a run",
        )
        self.config: dict[str, Any] = self.provenance["configuration"]["values"]

    @property
    def scale(self) -> str:
        """``mini``."""
        return str(self.provenance["scale"])

    @property
    def systems(self) -> dict[str, dict[str, Any]]:
        """Name → entry of the run's systems, in the order of the tables."""
        return {name: self.config["systems"][name] for name in self.config["run"]["systems"]}

    @property
    def tables(self) -> list[str]:
        """The tables of the run."""
        return list(self.config["run"]["tables"])

    @cached_property
    def task_of(self) -> dict[str, str]:
        """Test collection → its task."""
        return tasks_of_tests(self.config)

    @cached_property
    def tests(self) -> list[str]:
        """Tests and probes that the run's tables read, and that could be run."""
        names = [test for table in self.tables for test in plan.tests_of(self.config, table)]
        return [test for test in dict.fromkeys(names) if plan.is_active(self.config, test)]

    def file(self, *parts: str) -> Path | None:
        """A file of the run, or None when it has none of that name."""
        path = self.path.joinpath(*parts)
        return path if path.exists() else None

    def scores(self, system: str, test: str) -> Scores | None:
        """Scores of a system on a test, or None."""
        path = self.file("scores", system, f"{test}.json")
        return Scores.load(path) if path else None

    def predictions(self, system: str, test: str) -> Path | None:
        """Predictions of a system on a test, or None."""
        return self.file("predictions", system, f"{test}.parquet")

    def sources(self, test: str) -> dict[str, Path]:
        """Manifests of a test's gold answers, by source."""
        found = {
            name: self.file("sources", f"{name}.json")
            for name in plan.gold_sources(self.config, test)
        }
        return {name: path for name, path in found.items() if path}

    def table(self, name: str) -> Table:
        """A table, laid out again from the scores."""
        tests = plan.tests_of(self.config, name)
        systems = plan.table_systems(self.config, name)
        scores = [self.file("scores", system, f"{t}.json") for system in systems for t in tests]
        return build_table(
            plan.table_settings(self.config, name),
            [path for path in scores if path],
            sorted(
                path
                for system in systems
                for path in (self.path / "finetuned" / system).glob("*/selection.json")
            ),
            self.file("reports", "corpus.json"),
            self.file("significance", f"{name}.json"),
        )

    @cached_property
    def _files(self) -> ExampleFiles:
        found: dict[str, dict[str, Path]] = {
            kind: {} for kind in ("scores", "predictions", "coverage", "features")
        }
        for system in self.systems:
            for test in self.tests:
                for kind, path in (
                    ("scores", self.file("scores", system, f"{test}.json")),
                    ("predictions", self.predictions(system, test)),
                    ("coverage", self.file("predictions", system, f"{test}.coverage.json")),
                    ("features", self.file("features", system, f"{test}.npz")),
                ):
                    if path:
                        found[kind][f"{system}/{test}"] = path
        tasks = [test for test in self.tests if test in self.task_of]
        sources = {name: path for test in tasks for name, path in self.sources(test).items()}
        settings = {test: plan.scoring_settings(self.config, test) for test in tasks}
        return ExampleFiles(settings, sources=sources, **found)

    def examples(self, system: str, test: str) -> dict[Key, ExampleScores] | None:
        """Counts per example of a system on a test; None when they are not kept."""
        return self._files(system, test)
