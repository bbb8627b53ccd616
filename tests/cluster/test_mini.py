"""The whole DAG at scale mini as Slurm jobs: groups of jobs, GPUs, ranks on two nodes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cluster.conftest import Cluster

pytestmark = pytest.mark.cluster

# All jobs of the scale, each as short as can be: what they compute is tested elsewhere.
SHORT = [
    "pretraining={stages: {stage1: {steps: 20, warmup_steps: 2},"
    " stage2: {steps: 20, warmup_steps: 2}, extra: {steps: 20, warmup_steps: 2}}}",
    "tasks={qa: {maximum_steps: 5}, relation: {maximum_steps: 5}, ner: {maximum_steps: 5}}",
]


def test_the_whole_dag(cluster: Cluster, tmp_path: Path) -> None:
    said = cluster.run(tmp_path, *SHORT)
    results = tmp_path / "mini"
    for name in [1, 2, 3, 4, 5, 6, "A", "B", "F", "G"]:
        for suffix in ("csv", "md", "tex", "html"):
            assert (results / "tables" / f"table{name}.{suffix}").stat().st_size
    assert (results / "report.html").stat().st_size
    jobs = cluster.slurm.jobs()
    assert {job["State"] for job in jobs} == {"COMPLETED"}
    assert {job["NodeList"] for job in jobs} >= {"node1", "node2", "node[1-2]"}
    for summary in results.glob("pretraining/*/*/summary.json"):
        assert json.loads(summary.read_text())["processes"] == 4
    assert "Nothing to be done" not in said
    assert "Nothing to be done" in cluster.run(tmp_path, *SHORT, options=["-n"]).removeprefix(said)
