"""The steps around pretraining, as programs: two processes under a launcher, export, errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import mluke_core
from mluke_core.io.files import read_json
from mluke_core.pretraining.manifest import read_manifest
from mluke_core.versions import STAGE_VERSIONS
from tests.pretraining_world import arguments, write_world

# A rate at which differences in the last digit do not grow.
SHORT_RUN = {"steps": 40, "learning_rate": 1e-3}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_world(tmp_path_factory.mktemp("world"))


def command(root: Path, script: str, *options: str) -> list[str]:
    return [sys.executable, str(root / "workflow_scripts" / f"{script}.py"), *options]


def run(line: list[str], **changes: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, capture_output=True, text=True, env=ENVIRONMENT, **changes)


@pytest.fixture(scope="module")
def trained(world: dict[str, Path], root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    options = arguments(world, folder / "work", folder / "output", SHORT_RUN)
    finished = run(command(root, "pretrain", *options, "--log", str(folder / "log")))
    assert finished.returncode == 0, finished.stderr
    assert "steps" not in finished.stdout
    return folder / "output"


def test_two_processes_learn_the_same(
    world: dict[str, Path], root: Path, trained: Path, tmp_path: Path
) -> None:
    """The same batches and dropout, so only the order of sums differs."""
    options = arguments(
        world, tmp_path / "work", tmp_path / "output", {**SHORT_RUN, "zero_stage": 1}
    )
    launcher = str(root / "workflow_scripts" / "launch.sh")
    line = command(root, "pretrain", *options, "--log", str(tmp_path / "log"))
    finished = run([launcher, "1", "2", "1", *line])
    assert finished.returncode == 0, finished.stderr
    assert "288 training and 72 validation sequences" in (tmp_path / "log").read_text()
    one, two = (load_file(path / "weights.safetensors") for path in (trained, tmp_path / "output"))
    for name, tensor in one.items():
        assert torch.linalg.vector_norm(two[name] - tensor) < 1e-2 * (1 + tensor.norm()), name
    losses = [
        read_json(path / "summary.json")["final"]["validation"]["loss"]
        for path in (trained, tmp_path / "output")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert read_json(tmp_path / "output" / "summary.json")["processes"] == 2


def test_export_loads_in_transformers(
    world: dict[str, Path], root: Path, trained: Path, tmp_path: Path
) -> None:
    origin = {"texts": "made up, of 2020-12-01", "licence of the texts": "CC BY-SA"}
    line = command(
        root,
        "export_model",
        *("--settings", json.dumps({"model": "mluke-tiny", "objective": "luke", "origin": origin})),
        *("--weights", str(trained), "--base", str(world["base"])),
        *("--vocabulary", str(world["vocabulary"]), "--entity-vocab", str(world["entity_vocab"])),
        *("--output", str(tmp_path / "model")),
    )
    finished = run(line)
    assert finished.returncode == 0, finished.stderr
    from transformers import LukeForMaskedLM

    model, report = LukeForMaskedLM.from_pretrained(tmp_path / "model", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    names = read_json(tmp_path / "model" / "entity_vocab.json")
    assert names["[MASK2]"] == max(names.values()) == model.config.entity_vocab_size - 1
    card = (tmp_path / "model" / "README.md").read_text()
    assert "stage2, 40 steps" in card
    assert "unigram" in card
    manifest = read_manifest(world["manifest"])
    for fact in (
        "| texts | made up, of 2020-12-01 |",
        "| licence of the texts | CC BY-SA |",
        "| languages | 2: en, ja |",
        manifest.digest,
        manifest.tokenizer_digest,
        manifest.vocabulary_digest,
        f"mluke-dag {mluke_core.__version__} (pretrain version {STAGE_VERSIONS['pretrain']})",
        f"torch {torch.__version__}",
    ):
        assert fact in card
    wrong = run([*line[:3], '{"model": "x", "objective": "mlm"}', *line[4:]])
    assert wrong.returncode == 1
    assert "was not trained with objective mlm" in wrong.stderr


def test_errors_are_one_line(world: dict[str, Path], root: Path, tmp_path: Path) -> None:
    options = arguments(world, tmp_path / "work", tmp_path / "output", {})
    options[options.index("--vocabulary") + 1] = str(world["manifest"].parent / "en" / "0.parquet")
    finished = run(command(root, "pretrain", *options))
    assert finished.returncode == 1
    assert "not the entity vocabulary" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not (tmp_path / "output").exists()


def test_launcher_explains_itself(root: Path) -> None:
    launcher = str(root / "workflow_scripts" / "launch.sh")
    alone = run([launcher, "1", "1", "3", "bash", "-c", "echo $OMP_NUM_THREADS"])
    assert alone.stdout == "3\n"
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "SLURM_JOB_ID"}
    cluster = subprocess.run(
        [launcher, "2", "1", "1", "python", "x"], capture_output=True, text=True, env=environment
    )
    assert cluster.returncode == 2
    assert "need a cluster" in cluster.stderr
    assert run([launcher, "1"]).returncode == 2


def test_launcher_under_slurm_gives_every_task_its_rank(root: Path, tmp_path: Path) -> None:
    """With a stand-in for srun that runs the task of one rank."""
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "srun").write_text(
        "#!/usr/bin/env bash\n"
        'echo "$@" > "$(dirname "$0")/options"\n'
        "while [[ $1 == --* ]]; do shift; done\n"
        "export SLURM_PROCID=3 SLURM_NTASKS=4 SLURM_LOCALID=1 SLURM_STEP_NODELIST=n[1-2]\n"
        'exec "$@"\n'
    )
    (fake / "scontrol").write_text(
        "#!/usr/bin/env bash\n"
        "[[ $2 == hostnames ]] && printf 'n1\\nn2\\n' || echo NodeName=$3 NodeAddr=10.0.0.$3 x=y\n"
    )
    for program in fake.iterdir():
        program.chmod(0o755)
    environment = {**ENVIRONMENT, "PATH": f"{fake}:{os.environ['PATH']}", "SLURM_JOB_ID": "77"}
    environment.pop("SLURM_STEP_ID", None)
    echo = "echo $RANK $WORLD_SIZE $LOCAL_RANK $LOCAL_WORLD_SIZE $MASTER_ADDR $MASTER_PORT"
    echo += " $OMP_NUM_THREADS $0"
    line = [str(root / "workflow_scripts" / "launch.sh"), "2", "2", "5", "bash", "-c", echo, "x y"]
    finished = subprocess.run(line, capture_output=True, text=True, env=environment)
    assert finished.stdout == "3 4 1 2 10.0.0.n1 20077 5 x y\n", finished.stderr
    options = (fake / "options").read_text()
    assert "--nodes=2 --ntasks=4 --ntasks-per-node=2 --cpus-per-task=5" in options
    # A rule that srun has started may not call srun: it would wait for itself.
    inside = {**environment, "SLURM_STEP_ID": "0"}
    refused = subprocess.run(line, capture_output=True, text=True, env=inside)
    assert refused.returncode == 2
    assert "needs mpi and tasks_per_node in set-resources" in refused.stderr
