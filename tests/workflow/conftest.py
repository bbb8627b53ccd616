"""Run Snakemake as a user would, and the whole DAG once for the tests that look at its results."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.workflow.drill_run import DrillRun

Run = Callable[..., subprocess.CompletedProcess[str]]


def snakemake(root: Path, results: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`snakemake` in the project's folder with results elsewhere; never raises.

    Arguments that hold a `=` before any space are configuration, the rest is passed on.
    """
    config = [a for a in arguments if not a.startswith("-") and "=" in a.split("{")[0]]
    others = [a for a in arguments if a not in config]
    command = [
        sys.executable, "-m", "snakemake", "--cores", "2",
        *others, "--config", f"results={results}", *config,
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="session")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run Snakemake with an empty results folder of its own."""
    empty = tmp_path_factory.mktemp("empty")
    return lambda *arguments: snakemake(root, empty, *arguments)


@pytest.fixture(scope="session")
def mini(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the whole DAG at scale mini; made once for all tests."""
    results = tmp_path_factory.mktemp("results")
    outcome = snakemake(root, results)
    assert outcome.returncode == 0, outcome.stderr[-8000:]
    return results / "mini"


@pytest.fixture(scope="session")
def rerun(root: Path, mini: Path) -> Run:
    """Run Snakemake on the finished results."""
    return lambda *arguments: snakemake(root, mini.parent, *arguments)


@pytest.fixture(scope="session")
def corpus_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrillRun]:
    """From dumps to the manifest and the table of the corpus, undisturbed; trains nothing."""
    yield from undisturbed(tmp_path_factory.mktemp("drills") / "corpus", "tableA")


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrillRun]:
    """The drills' whole DAG, trainings and scores included, undisturbed."""
    yield from undisturbed(tmp_path_factory.mktemp("drills") / "whole", "tables")


def undisturbed(folder: Path, target: str) -> Iterator[DrillRun]:
    """A run that nothing has happened to, cleaned up afterwards."""
    run = DrillRun(folder, target)
    try:
        run.complete()
        yield run
    finally:
        run.clean_up()
