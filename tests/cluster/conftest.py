"""One Slurm of two nodes for all tests here, and Snakemake started on it by the profile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.hosts import network
from tests.cluster.slurm import NODE_GPUS, Slurm, running_slurm

PROGRAMS = {"ip": "iproute2", "munged": "munge", "slurmctld": "slurmctld", "slurmd": "slurmd"}
PROGRAMS["srun"] = "slurm-client"


@pytest.fixture(scope="session")
def programs() -> None:
    """What the tests of this folder need on the machine."""
    missing = {package for program, package in PROGRAMS.items() if not shutil.which(program)}
    assert not missing, f"install Debian's {' '.join(sorted(missing))}"
    assert os.geteuid() == 0, "network namespaces and slurmd need root"
    # Clean up after SIGTERM, too, and after SIGINT where a shell has it ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)


@pytest.fixture(scope="session")
def slurm(programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """A Slurm of two nodes; jobs are submitted from a third host."""
    with (
        network(["login", "node1", "node2"]) as (login, *nodes),
        running_slurm(tmp_path_factory.mktemp("slurm"), login, nodes) as slurm,
    ):
        yield slurm


class Cluster:
    """Runs Snakemake with ``profiles/slurm``, changed only where a user has to change it."""

    def __init__(self, slurm: Slurm, root: Path, folder: Path) -> None:
        self.slurm = slurm
        self.root = root
        self.folder = folder

    def start(
        self,
        results: Path,
        *config: str,
        options: Sequence[str] = (),
        targets: Sequence[str] = (),
        resources: dict[str, Any] | None = None,
    ) -> subprocess.Popen[str]:
        """Start Snakemake; its output goes to ``snakemake.log`` in ``results``.

        Args:
            config: ``KEY=VALUE``.
            resources: of the rule ``pretrain``, over the profile's.
        """
        profile = results / "profile"
        profile.mkdir(parents=True, exist_ok=True)
        (profile / "config.yaml").write_text(yaml.safe_dump(self._profile(resources or {})))
        line = [sys.executable, "-m", "snakemake", "--nolock", "--profile", str(profile)]
        line += [*options, "--config", f"results={results}", *config, "--", *targets]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        with open(results / "snakemake.log", "a") as log:
            return subprocess.Popen(
                self.slurm.command(line),
                cwd=self.root,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def run(self, results: Path, *config: str, **others: Any) -> str:
        """As :meth:`start`, to the end, which must be a good one. Returns what Snakemake said."""
        code = self.start(results, *config, **others).wait()
        text = (results / "snakemake.log").read_text()
        assert code == 0, text[-8000:]
        return text

    def _profile(self, resources: dict[str, Any]) -> dict[str, Any]:
        text = (self.root / "profiles" / "slurm" / "config.yaml").read_text("utf-8")
        profile = yaml.safe_load(text)
        # What docs/cluster.md says for a Slurm without accounting.
        del profile["default-resources"]["slurm_account"]
        profile["slurm-no-account"] = True
        profile["slurm-status-command"] = "squeue"
        # The lines marked CHANGE.
        pretrain = profile["set-resources"]["pretrain"]
        pretrain |= {"nodes": 2, "tasks_per_node": 2, "gres": f"'gpu:{NODE_GPUS}'", **resources}
        # Sooner than on a controller that others use, too.
        profile |= {"seconds-between-status-checks": 3, "max-jobs-per-second": 50}
        profile |= {"max-status-checks-per-second": 5, "slurm-init-seconds-before-status-checks": 3}
        # What this machine bears at once, and how late its one file system shows a file.
        profile |= {"jobs": 6, "latency-wait": 10}
        return profile


@pytest.fixture(scope="session")
def cluster(slurm: Slurm, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return Cluster(slurm, root, tmp_path_factory.mktemp("cluster"))
