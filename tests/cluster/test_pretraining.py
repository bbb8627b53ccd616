"""Pretraining on two nodes of a Slurm, through the rule, the profile and the executor plugin.

Whatever interrupts it, the weights in the end are those of a run that nothing interrupted.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.cluster.conftest import Cluster
from tests.cluster.slurm import wait_for
from tests.pretraining_world import write_world

pytestmark = pytest.mark.cluster

STEPS = 60
STAGE = "mini/pretraining/mluke-mini/stage1"
WORK = "mini/work/pretraining/mluke-mini/stage1"
PATIENCE = 900
"""Seconds after which a test takes something for hung; a busy machine is slow."""
SETTINGS = {
    "zero_stage": 1,
    "entity_embedding_size": 16,
    "log_interval": 1,
    "validation_interval": STEPS,
    "validation_sequences": 4,
    "checkpoint_interval": 5,
    "peer_timeout": 600,
    "stages": {
        "stage1": {
            "trainable": "all",
            "steps": STEPS,
            "warmup_steps": 10,
            "learning_rate": 0.001,
            "batch_size": 8,
            "micro_batch_size": 2,
        }
    },
}


class Training:
    """The rule ``pretrain`` in a results folder that has its inputs and nothing else."""

    def __init__(self, cluster: Cluster, inputs: Path, results: Path) -> None:
        self.cluster = cluster
        self.results = results
        shutil.copytree(inputs, results / "mini")
        self._jobs_before = {job["JobID"] for job in cluster.slurm.jobs()}

    @contextmanager
    def started(self, peer_timeout: int = 600, **resources: object) -> Iterator[None]:
        """Start it; at the end of the block wait for its end, which must be a good one."""
        settings = json.dumps(SETTINGS | {"peer_timeout": peer_timeout})
        process = self.cluster.start(
            self.results,
            f"pretraining={settings}",
            options=["--allowed-rules", "pretrain"],
            targets=[str(self.results / STAGE)],
            resources=resources,
        )
        try:
            yield
            process.wait(2 * PATIENCE)
        except BaseException:
            process.send_signal(signal.SIGINT)  # Snakemake cancels its jobs
            process.wait()
            raise
        assert process.returncode == 0, self.said[-8000:]

    @property
    def said(self) -> str:
        """What Snakemake printed, with the step's log after every failed try."""
        return (self.results / "snakemake.log").read_text()

    @property
    def log(self) -> str:
        """The step's log of the newest try; Snakemake removes those before."""
        path = self.results / "mini/logs/pretrain/mluke-mini-stage1.log"
        return path.read_text() if path.exists() else ""

    @property
    def jobs(self) -> list[dict[str, str]]:
        """The Slurm jobs of this training."""
        every = self.cluster.slurm.jobs()
        return [job for job in every if job["JobID"] not in self._jobs_before]

    @property
    def weights(self) -> bytes:
        return (self.results / STAGE / "weights.safetensors").read_bytes()

    @property
    def steps_done(self) -> int:
        path = self.results / WORK / "log" / "log.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        # The last line may still be written.
        return max((json.loads(line)["step"] for line in lines[:-1]), default=0)

    def wait_for_step(self, step: int) -> None:
        wait_for(lambda: self.steps_done >= step, PATIENCE, f"step {step}")

    def stall(self) -> int:
        """Stop the last process, for which all others then wait. Returns its id."""
        process = self.cluster.slurm.hosts[1].rank(3)
        assert process is not None
        os.kill(process, signal.SIGSTOP)
        return process

    def change_job(self, change: str) -> None:
        """Change the running job, as its owner or an administrator may."""
        self.cluster.slurm.ask("scontrol", "update", f"JobId={self.jobs[-1]['JobID']}", change)

    def wait_for_end_of_first_run(self) -> None:
        wait_for(lambda: self.jobs[0]["State"] != "RUNNING", PATIENCE, "end of the first run")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Manifest, shards, vocabulary and base model where the DAG has them."""
    world = write_world(tmp_path_factory.mktemp("world"))
    folder = tmp_path_factory.mktemp("inputs")
    shutil.copytree(world["manifest"].parent, folder / "sequences")
    shutil.copytree(world["base"], folder / "pretrained" / "xlmr-mini")
    (folder / "entities").mkdir()
    shutil.copy(world["vocabulary"], folder / "entities" / "vocabulary.parquet")
    shutil.copy(world["entity_vocab"], folder / "entities" / "entity_vocab.json")
    return folder


@pytest.fixture
def training(cluster: Cluster, inputs: Path, tmp_path: Path) -> Training:
    return Training(cluster, inputs, tmp_path / "results")


@pytest.fixture(scope="module")
def whole(cluster: Cluster, inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """A run that nothing interrupts."""
    training = Training(cluster, inputs, tmp_path_factory.mktemp("whole") / "results")
    with training.started():
        pass
    return training


def test_two_nodes_train_together(whole: Training) -> None:
    (job,) = whole.jobs
    assert (job["State"], job["NodeList"]) == ("COMPLETED", "node[1-2]")
    assert "2 on node1, with 2 of 3 shards; 2 on node2, with 1 of 3 shards" in whole.log
    assert "resuming" not in whole.log
    summary = json.loads((whole.results / STAGE / "summary.json").read_text())
    assert summary["processes"] == 4
    assert summary["settings"]["zero_stage"] == 1


def test_a_job_over_its_time_limit(whole: Training, training: Training) -> None:
    """Slurm's SIGTERM leaves the processes time to save. One stalls, so the job cannot be done."""
    with training.started(slurm_extra="''"):
        training.wait_for_step(15)
        training.stall()
        training.change_job("TimeLimit=1")
        # Slurm wakes what it ends: SIGCONT comes with SIGTERM.
    assert [job["State"] for job in training.jobs] == ["TIMEOUT", "COMPLETED"]
    assert re.search(r"stopped by SIGTERM after step \d+ of 60; a checkpoint", training.said)
    assert "resuming after step" in training.log
    assert training.weights == whole.weights


def test_a_job_is_warned_before_its_time_limit(whole: Training, training: Training) -> None:
    """`--signal` of the profile: the processes save and end well before their time is over."""
    with training.started():
        training.wait_for_step(15)
        stalled = training.stall()
        training.change_job("EndTime=now+9minutes")
        wait_for(lambda: was_sent(stalled, signal.SIGTERM), PATIENCE, "SIGTERM for a process")
        with suppress(ProcessLookupError):
            os.kill(stalled, signal.SIGCONT)
    assert [job["State"] for job in training.jobs] == ["FAILED", "COMPLETED"]
    assert re.search(r"stopped by SIGTERM after step \d+ of 60; a checkpoint", training.said)
    assert "resuming after step" in training.log
    assert training.weights == whole.weights


def was_sent(process: int, number: int) -> bool:
    """Whether a signal waits for a stopped process, or has already ended it."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    masks = [line.split()[1] for line in status.splitlines() if line[:7] in ("SigPnd:", "ShdPnd:")]
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


@pytest.mark.parametrize("name", ["node1", "node2"])
def test_a_node_that_is_set_down(whole: Training, training: Training, name: str) -> None:
    """Slurm takes the job back into the queue, and it goes on when the node is up again."""
    slurm = training.cluster.slurm
    with training.started():
        training.wait_for_step(15)
        slurm.ask("scontrol", "update", f"nodename={name}", "state=down", "reason=test")
        training.wait_for_end_of_first_run()
        assert not (training.results / STAGE).exists()
        # Nothing tells a node that is down to end its part of a job; a reboot does.
        node = next(host for host in slurm.hosts if host.name == name)
        slurm.reboot(node)
        slurm.resume(node)
    (job,) = training.jobs
    assert (job["State"], job["RestartCnt"]) == ("COMPLETED", "1")
    assert "resuming after step" in training.log
    assert training.weights == whole.weights


def test_a_job_over_its_memory_gets_more(whole: Training, training: Training) -> None:
    with training.started(mem_mb="400 if attempt == 1 else 8000"):
        pass
    first, second = training.jobs
    assert first["State"] in ("FAILED", "OUT_OF_MEMORY", "CANCELLED")
    assert second["State"] == "COMPLETED"
    logs = "".join(path.read_text() for path in training.cluster.slurm.folder.glob("slurmd-*.log"))
    assert re.search(rf"{first['JobID']}\.\w+ exceeded memory limit", logs)
    assert training.weights == whole.weights


# What the first process of either side says.
LOST = [
    "It waited for process 1 on node1, process 2, 3 on node2",
    "It waited for process 0, 1 on node1, process 3 on node2",
]


def test_a_node_whose_cable_is_cut(whole: Training, training: Training) -> None:
    """Slurm gives the node up; the ranks of both sides end by themselves, and the job resumes."""
    slurm = training.cluster.slurm
    lost = slurm.hosts[1]
    with training.started(peer_timeout=30):
        training.wait_for_step(15)
        lost.pull_cable()
        try:
            for message in LOST:
                wait_for(lambda text=message: text in training.log, PATIENCE, message)
            training.wait_for_end_of_first_run()
            wait_for(lambda: lost.rank(3) is None, PATIENCE, "end of the rank that was cut off")
            wait_for(lambda: "down" in slurm.states()[lost.name], PATIENCE, "a node given up")
        finally:
            lost.plug_cable()
        # Not before its part of the first run is over and reported: Slurm 22.05 would start the job
        # there and then refuse it every step.
        wait_for(lambda: len(lost.processes()) == 1, PATIENCE, "a node with slurmd alone")
        slurm.resume(lost)
    assert training.jobs[-1]["State"] == "COMPLETED"
    assert "resuming after step" in training.log
    assert training.weights == whole.weights


def test_processes_of_a_rule_without_mpi(cluster: Cluster, root: Path, tmp_path: Path) -> None:
    """As fine-tuning in two processes: launch.sh inside an srun that has all of the job."""
    launcher = root / "workflow_scripts" / "launch.sh"
    script = tmp_path / "rank.py"
    # One write each: the lines of two processes must not mix.
    script.write_text("import os; os.write(1, b'rank %s\\n' % os.environb[b'RANK'])")
    line = f"srun -n1 {launcher} 1 2 1 {sys.executable} {script}"
    batch = ["sbatch", "--wait", "--mem=2000", "-n1", f"--output={tmp_path}/out", f"--wrap={line}"]
    # Without the launcher's care it would wait for ever.
    subprocess.run(cluster.slurm.command(batch), timeout=PATIENCE, check=True)
    said = (tmp_path / "out").read_text().splitlines()
    assert sorted(text for text in said if text.startswith("rank")) == ["rank 0", "rank 1"]
