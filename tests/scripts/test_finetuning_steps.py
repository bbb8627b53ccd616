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


def test_two_processes_train_as_one(root: Path, tmp_path: Path) -> None:
    """Through the launcher, with micro-batches that both worlds share."""
    import torch
    from safetensors.torch import load_file

    model = world.make_model(tmp_path / "model", world.make_tokenizer(tmp_path / "tokenizer"))
    kbp37 = world.write_source(
        tmp_path, "kbp37", {"train.txt": world.relations(60, 1), "dev.txt": world.relations(20, 2)}
    )
    settings = {
        "task": "relation",
        "inputs": "entity",
        "train": {"source": "kbp37", "file": "train.txt"},
        "dev": {"source": "kbp37", "file": "dev.txt"},
        "options": {"maximum_length": 64},
        "run": {"learning_rate": 1e-3, "batch_size": 15, "seed": 1, "name": "lr0.001-b15-s1"},
        "epochs": 1,
        "gradient_clipping": 1,
        "finetuning": {"precision": "fp32", "micro_batch_size": 5},
    }
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        command = [
            *("bash", "workflow_scripts/launch.sh", 1, processes, 1, sys.executable),
            *("workflow_scripts/finetune.py", "--settings", json.dumps(settings)),
            *("--model", model, "--sources", f"kbp37={kbp37}", "--work", folder / "work"),
            *("--output", folder / "result.json", "--weights", folder / "weights"),
        ]
        done = subprocess.run(
            [*map(str, command)], capture_output=True, text=True, cwd=root, check=False
        )
        assert done.returncode == 0, done.stderr
    results = [json.loads((tmp_path / n / "result.json").read_text()) for n in ("1", "2")]
    assert [result["processes"] for result in results] == [1, 2]
    assert results[0]["history"][0]["loss"] == pytest.approx(results[1]["history"][0]["loss"])
    one, two = (load_file(tmp_path / n / "weights" / "model.safetensors") for n in ("1", "2"))
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, two[name], atol=1e-4, rtol=1e-3, msg=name)


def test_losing_weights_are_removed_and_asked_for(root: Path, tmp_path: Path) -> None:
    def write(rate: float, seed: int, score: float) -> Path:
        name = f"lr{rate}-b8-s{seed}"
        run = {"learning_rate": rate, "batch_size": 8, "seed": seed, "name": name}
        result = {"run": name, "settings": {"run": run}, "dev": {"f1": score}, "weights": "digest"}
        path = tmp_path / name / "result.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(result))
        if not (path.parent / "weights").exists() and score < 100:
            (path.parent / "weights").mkdir()
        return path

    results = [write(0.1, 1, 50.0), write(0.1, 2, 70.0), write(0.2, 1, 60.0), write(0.2, 2, 65.0)]
    chosen = tmp_path / "selection.json"

    def select(*paths: Path, **more: object) -> subprocess.CompletedProcess[str]:
        settings = json.dumps({"task": "ner", "metric": "f1", **more})
        given = ("--results", *paths, "--output", chosen)
        return step(root, "select_run", "--settings", settings, *given)

    assert select(*results, keep_weights=True).returncode == 0
    assert all((path.parent / "weights").is_dir() for path in results)
    assert select(*results).returncode == 0
    kept = [path.parent.name for path in results if (path.parent / "weights").is_dir()]
    assert kept == ["lr0.1-b8-s1", "lr0.1-b8-s2"]
    selection = json.loads(chosen.read_text())
    assert selection["best"] == "lr0.1-b8-s2"
    assert [run["selected"] for run in selection["runs"]] == [True, True, False, False]
    # Later a third seed makes the other grid point the best: its first runs are needed again.
    before = chosen.read_text()
    done = select(*results, write(0.2, 3, 99.0))
    assert done.returncode == 1
    assert "lr0.2-b8-s1, lr0.2-b8-s2 are selected but gone" in done.stderr
    assert str(tmp_path / "lr0.2-b8-s1" / "result.json") in done.stderr
    assert chosen.read_text() == before
    assert select(results[0], results[0]).returncode == 1
