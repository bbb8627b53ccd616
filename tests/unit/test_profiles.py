"""The scripts of the generic cluster profile, against stand-ins of the schedulers' commands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

FOLDER = "profiles/cluster-generic"


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder of stand-ins that is searched before the machine's own commands."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def stand_in(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/usr/bin/env bash\n{script}\n")
    path.chmod(0o755)


def call(
    root: Path, commands: Path, cwd: Path, script: str, *arguments: str, system: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{commands}:{os.environ['PATH']}"}
    if system:
        environment["CLUSTER_SYSTEM"] = system
    return subprocess.run(
        [root / FOLDER / script, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


SHOW = 'printf "%s\\n" "$*" >&2'


@pytest.mark.parametrize(
    ("system", "command", "answer", "expected"),
    [
        ("sge", "qsub", "echo 41", ["-pe smp 4", "h_vmem=2000M", "h_rt=02:05:00", "gpu=1"]),
        ("pbs", "qsub", "echo 41", ["select=1:ncpus=4:mem=8000mb:ngpus=1", "walltime=02:05:00"]),
        (
            "lsf",
            "bsub",
            'cat >/dev/null; echo "Job <41> is submitted to queue <normal>."',
            ["-n 4", "-M 8000MB", "-W 02:05", "-gpu num=1"],
        ),
    ],
)
def test_submission(
    root: Path,
    commands: Path,
    tmp_path: Path,
    system: str,
    command: str,
    answer: str,
    expected: list[str],
) -> None:
    stand_in(commands, command, f"{SHOW}\n{answer}")
    script = tmp_path / "job.sh"
    script.write_text("true\n")
    arguments = ("4", "8000", "125", "1", str(script))
    outcome = call(root, commands, tmp_path, "submit.sh", *arguments, system=system)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout == "41\n"
    for text in expected:
        assert text in outcome.stderr


@pytest.mark.parametrize(
    ("system", "scripts", "expected"),
    [
        ("sge", {"qstat": "exit 0"}, "running"),
        ("sge", {"qstat": '[[ $1 == -j ]] || echo "41 0.5 job me Eqw"'}, "failed"),
        ("sge", {"qstat": "exit 1", "qacct": "echo exit_status 0; echo failed 0"}, "success"),
        ("sge", {"qstat": "exit 1", "qacct": "echo exit_status 1; echo failed 0"}, "failed"),
        ("sge", {"qstat": "exit 1", "qacct": "echo exit_status 0; echo failed 100"}, "failed"),
        ("sge", {"qstat": "exit 1", "qacct": "exit 1"}, "running"),
        ("lsf", {"bjobs": "echo PEND"}, "running"),
        ("lsf", {"bjobs": "echo DONE"}, "success"),
        ("lsf", {"bjobs": "echo EXIT"}, "failed"),
        ("lsf", {"bjobs": "exit 255"}, "running"),
        ("pbs", {"qstat": 'echo "    job_state = R"'}, "running"),
        (
            "pbs",
            {"qstat": 'echo "    job_state = F"; echo "    Exit_status = 0"'},
            "success",
        ),
        (
            "pbs",
            {"qstat": 'echo "    job_state = F"; echo "    Exit_status = 271"'},
            "failed",
        ),
        ("pbs", {"qstat": "exit 153"}, "running"),
    ],
)
def test_status(
    root: Path,
    commands: Path,
    tmp_path: Path,
    system: str,
    scripts: dict[str, str],
    expected: str,
) -> None:
    for name, script in scripts.items():
        stand_in(commands, name, script)
    outcome = call(root, commands, tmp_path, "status.sh", "41", system=system)
    assert outcome.stdout.strip() == expected, outcome.stderr


def test_the_scheduler_is_found_by_its_commands(root: Path, commands: Path, tmp_path: Path) -> None:
    stand_in(commands, "bsub", "exit 0")
    stand_in(commands, "bkill", SHOW)
    outcome = call(root, commands, tmp_path, "cancel.sh", "41", "42")
    assert outcome.stderr == "41 42\n"


@pytest.mark.parametrize("profile", ["slurm", "cluster-generic"])
def test_every_rule_of_a_profile_exists(root: Path, profile: str) -> None:
    settings = yaml.safe_load((root / "profiles" / profile / "config.yaml").read_text("utf-8"))
    rules = "".join(path.read_text("utf-8") for path in (root / "rules").glob("*.smk"))
    for name in [*settings["set-resources"], *settings.get("groups", {})]:
        assert f"rule {name}:" in rules
    assert set(settings.get("groups", {}).values()) == set(settings.get("group-components", {}))


@pytest.mark.parametrize("profile", ["default", "slurm", "cluster-generic"])
def test_every_line_of_a_profile_is_explained(root: Path, profile: str) -> None:
    """A setting has a remark beside it or above its block."""
    bare, explained = [], False
    for line in (root / "profiles" / profile / "config.yaml").read_text("utf-8").splitlines():
        if not line.strip():
            explained = False
        elif "#" in line:
            explained = True
        elif not line.startswith(" ") and not explained:
            bare.append(line)
    assert set(bare) <= {"printshellcmds: false"}  # it says what it does
