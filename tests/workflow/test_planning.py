"""The job list of every scale, and the messages for what cannot be planned."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from _large_plan import planning_folder, touch_outputs

from mluke_core.planning import jobs
from tests.workflow.conftest import Run

pytestmark = pytest.mark.workflow


def job_counts(outcome: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Rule -> number of jobs, from a dry run's statistics."""
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    text = outcome.stdout + outcome.stderr
    block = text.split("Job stats:")[1]
    rows = re.findall(r"^(\w+) +(\d+)$", block, re.M)
    return {rule: int(count) for rule, count in rows}


def test_the_whole_paper_is_planned(run: Run, tmp_path: Path) -> None:
    counts = job_counts(run("-n", "scale=paper"))
    assert counts["download_dump"] == 24
    # 8 systems x 3 tasks x 6 grid points x 3 seeds
    assert counts["finetune"] == 8 * 3 * 6 * 3
    assert counts["predict"] == counts["score"] == 8 * 5
    assert counts["pretrain"] == 1 + 2 + 2
    assert counts["import_model"] == 3
    assert counts["table"] == 10
    assert "make_miniature" not in counts


def test_base24_leaves_the_large_models_out(run: Run) -> None:
    counts = job_counts(run("-n", "scale=base24"))
    assert counts["finetune"] == 5 * 3 * 6 * 3
    assert counts["pretrain"] == 3


def test_a_released_checkpoint_skips_pretraining(run: Run) -> None:
    counts = job_counts(
        run("-n", "scale=base24", "models={mluke-base: {pretrained: hub}}", "table2")
    )
    assert "pretrain" not in counts
    assert counts["import_model"] == 1


def test_one_table_needs_only_its_own_jobs(run: Run) -> None:
    counts = job_counts(run("-n", "table3"))
    assert counts["table"] == 1
    assert counts["score"] == 4 * 2
    assert "probe_mlama" not in counts
    assert "article_mentions" not in counts


def test_one_score(root: Path, tmp_path: Path) -> None:
    from tests.workflow.conftest import snakemake

    target = tmp_path / "mini" / "scores" / "mluke-e-mini" / "relx.json"
    counts = job_counts(snakemake(root, tmp_path, "-n", str(target)))
    assert counts["score"] == 1
    assert counts["finetune"] == 4


def test_threads_of_the_extraction_change_nothing_else(root: Path, tmp_path: Path) -> None:
    from tests.workflow.conftest import snakemake

    target = str(tmp_path / "mini/pages/ja/000.parquet")
    commands = []
    for arguments in ([], ["corpus={threads: 2}"]):
        outcome = snakemake(root, tmp_path, "-n", "-p", target, *arguments)
        text = outcome.stdout + outcome.stderr
        commands.append(re.findall(r"python workflow_scripts/extract\.py .*", text))
    (one,), (two,) = commands
    assert " --threads 1 " in one
    assert two == one.replace(" --threads 1 ", " --threads 2 ")


def test_a_task_without_its_licensed_data_is_left_out(run: Run) -> None:
    counts = job_counts(run("-n", "scale=base24", "sources={conll2003: {local: null}}"))
    assert counts["finetune"] == 5 * 2 * 6 * 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["scale=minni"], ["unknown scale 'minni'", "Did you mean 'mini'"]),
        (["run={languages: [xx]}"], ["'xx' is not in 'languages'"]),
        (["run={systems: [mluke]}"], ["'mluke' is not in 'systems'"]),
        (["vocabulary={sise: 3}"], ["unknown key 'vocabulary.sise'"]),
        (["table9"], ["table9"]),
    ],
)
def test_mistakes_stop_before_anything_runs(
    run: Run, arguments: list[str], expected: list[str]
) -> None:
    outcome = run("-n", *arguments)
    assert outcome.returncode != 0
    output = outcome.stdout + outcome.stderr
    assert "Traceback" not in output
    for text in expected:
        assert text in output


def test_a_mirror_that_does_not_exist(run: Run, tmp_path: Path) -> None:
    outcome = run("scale=sample", f"mirror={tmp_path}/nowhere", "table3")
    output = outcome.stdout + outcome.stderr
    assert outcome.returncode != 0
    assert output.count("there is no folder") == 1
    assert "Traceback" not in output


def test_what_the_paper_costs(root: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "mluke_core.planning", "--config", "scale=paper",
        f"results={tmp_path}",
    ]  # fmt: skip
    outcome = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    # 1: this machine's disk may not suffice, which is then said.
    assert outcome.returncode == ("WARNING" in outcome.stderr), outcome.stderr
    rows = dict(re.findall(r"^\| (?:\*\*)?([\w -]+?)(?:\*\*)? \| (\d+) \|", outcome.stdout, re.M))
    assert int(rows.pop("in all")) == sum(map(int, rows.values()))
    assert set(rows) == {
        "download", "corpus", "alignment", "sequences", "pretraining", "fine-tuning",
        "evaluation", "reporting",
    }  # fmt: skip
    assert "A100 hours" in outcome.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_finished_paper_has_nothing_to_do(tmp_path: Path) -> None:
    folder = planning_folder(tmp_path)
    arguments = ["--config", "scale=paper"]
    made = touch_outputs(folder, jobs.parse(jobs.dry_run(arguments, folder)))
    assert made > 1_000
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", *arguments]
    touch = subprocess.run([*command, "--touch"], cwd=folder, capture_output=True, check=False)
    assert touch.returncode == 0, touch.stderr[-4000:]
    outcome = jobs.dry_run(arguments, folder)
    assert "Nothing to be done" in outcome
    assert jobs.parse(outcome) == []
    # Unfinished again when one thing is missing: the plan is not blind.
    (folder / "results/paper/tables/table3.csv").unlink()
    left = {job.rule for job in jobs.parse(jobs.dry_run(arguments, folder))}
    assert "table" in left
    assert "pretrain" not in left


def test_more_ranks_of_pretraining_change_the_launch_alone(run: Run) -> None:
    def launched(*configuration: str) -> set[str]:
        outcome = run("-n", "-p", "pretrained", *configuration)
        assert outcome.returncode == 0, outcome.stderr[-4000:]
        text = outcome.stdout + outcome.stderr
        return {line.strip() for line in text.splitlines() if "launch.sh" in line}

    more = launched("pretraining={processes_per_node: 2}")
    assert len(more) == 3
    assert {line.replace("launch.sh 1 2 ", "launch.sh 1 1 ") for line in more} == launched()
