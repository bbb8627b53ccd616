"""The command lines of finetune, select_run, predict and score."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import task_world as world

STEPS = ("finetune", "select_run", "predict", "score")


def step(root: Path, name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "workflow_scripts" / f"{name}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)


@pytest.mark.parametrize("name", STEPS)
def test_help_comes_without_heavy_imports(root: Path, name: str) -> None:
    program = (
        f"import sys; sys.path.insert(0, 'workflow_scripts'); import {name}\n"
        f"try: {name}.main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'transformers', 'pyarrow'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Example:" in done.stdout


def test_from_training_to_scores(root: Path, tmp_path: Path) -> None:
    model = world.make_model(tmp_path / "model", world.make_tokenizer(tmp_path / "tokenizer"))
    kbp37 = world.write_source(
        tmp_path, "kbp37", {"train.txt": world.relations(60, 1), "dev.txt": world.relations(20, 2)}
    )
    relx = world.write_source(tmp_path, "relx", {"RELX_en.txt": world.relations(10, 3)})
    run = {"learning_rate": 1e-3, "batch_size": 16, "seed": 1, "name": "lr0.001-b16-s1"}
    settings = {
        "system": "tiny",
        "task": "relation",
        "inputs": "entity",
        "train": {"source": "kbp37", "file": "train.txt"},
        "dev": {"source": "kbp37", "file": "dev.txt"},
        "metric": "macro_f1",
        "options": {"maximum_length": 64},
        "run": run,
        "epochs": 1,
        "gradient_clipping": 0,
        "maximum_steps": None,
        "maximum_examples": None,
        "finetuning": {"precision": "fp32", "weight_decay": 0.01, "warmup_share": 0.06},
    }
    output, weights = tmp_path / "run" / "result.json", tmp_path / "run" / "weights"
    done = step(
        root,
        "finetune",
        *("--settings", json.dumps(settings), "--model", model, "--sources", f"kbp37={kbp37}"),
        *("--work", tmp_path / "work", "--output", output, "--weights", weights),
        *("--log", tmp_path / "finetune.log"),
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(output.read_text())
    assert {"dev", "history", "examples", "baseline", "seconds", "peak_memory_mb", "steps"} <= set(
        result
    )
    assert result["run"] == "lr0.001-b16-s1"
    assert "fine-tuning" in (tmp_path / "finetune.log").read_text()

    chosen = tmp_path / "selection.json"
    task = json.dumps({"task": "relation", "metric": "macro_f1"})
    done = step(root, "select_run", "--settings", task, "--results", output, "--output", chosen)
    assert done.returncode == 0, done.stderr

    test = {**settings, "test": "relx", "columns": ["en", "fr"], "metrics": "relx"}
    files = ("--output", tmp_path / "p.parquet", "--coverage", tmp_path / "c.json")
    done = step(
        root,
        "predict",
        *("--settings", json.dumps(test), "--selection", chosen, "--model", model),
        *("--weights", f"lr0.001-b16-s1={weights}", "--sources", f"relx={relx}", *files),
    )
    assert done.returncode == 0, done.stderr
    done = step(
        root,
        "score",
        *("--settings", json.dumps(test), "--predictions", tmp_path / "p.parquet"),
        *("--coverage", tmp_path / "c.json", "--selection", chosen),
        *("--sources", f"relx={relx}", "--output", tmp_path / "scores.json"),
    )
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["system"] == "tiny"
    assert scores["runs"] == [{"run": "lr0.001-b16-s1", "seed": 1}]
    assert scores["counts"] == {"en": 10}
    assert scores["coverage"]["en"]["with_entities"] == 10
    assert "fr" in scores["unavailable"]


def test_errors_are_one_message(root: Path, tmp_path: Path) -> None:
    done = step(
        root,
        "finetune",
        *("--settings", '{"task": "relation"}', "--model", tmp_path, "--sources", "a=b"),
        *("--work", tmp_path, "--output", tmp_path / "r.json", "--weights", tmp_path / "w"),
    )
    assert done.returncode == 1
    assert "also needs inputs" in done.stderr
    assert "Traceback" not in done.stderr
