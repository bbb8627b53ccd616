"""The probes' steps from the command line, on a small world."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from mluke_core.io.parquet import read_metadata
from tests.probe_world import ProbeWorld, build_world, write_mlqa, write_relx

SCRIPTS = Path(__file__).resolve().parents[2] / "workflow_scripts"
MLAMA = {"languages": ["en", "tr", "ga", "ko"], "maximum_questions": None, "bias_relation": "P740"}


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ProbeWorld:
    torch.set_num_threads(1)
    return build_world(tmp_path_factory.mktemp("probes"))


def settings(inputs: str, probe: dict[str, object]) -> str:
    return json.dumps({"system": "a-system", "inputs": inputs, "seed": 42, "probe": probe})


def mlama_arguments(world: ProbeWorld, model: Path, inputs: str, output: Path) -> list[str]:
    sources = world.folder / "sources"
    return [
        "--settings",
        settings(inputs, MLAMA),
        "--model",
        str(model),
        "--sources",
        *(f"{role}={sources / name}.json" for role, name in ROLES.items()),
        "--vocabulary",
        str(world.vocabulary),
        "--output",
        str(output),
    ]


ROLES = {"data": "mlama", "trex": "trex", "googlere": "googlere"}


@pytest.mark.parametrize(
    ("kind", "inputs", "variants"),
    [
        ("words", "word", ["default"]),
        ("bert", "word", ["default"]),
        ("luke", "word", ["default"]),
        ("luke", "entity", ["[Y]", "[X]&[Y]"]),
    ],
)
def test_mlama_from_model_to_scores(
    world: ProbeWorld, tmp_path: Path, kind: str, inputs: str, variants: list[str]
) -> None:
    model = getattr(world, kind)
    outputs = [tmp_path / name for name in ("one.parquet", "two.parquet")]
    for output in outputs:
        assert script("probe_mlama").main(mlama_arguments(world, model, inputs, output)) == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    metadata = read_metadata(outputs[0])
    assert (metadata["stage"], metadata["source"]) == ("probe_mlama", "a-system")
    links = tmp_path / "en.parquet"
    pq.write_table(pa.table({"qid": pa.array([90], pa.int64()), "title": ["Paris"]}), links)
    scores_file = tmp_path / "scores" / "mlama.json"
    status = script("score_mlama").main(
        [
            "--settings",
            settings(inputs, MLAMA),
            "--predictions",
            str(outputs[0]),
            "--sitelinks",
            f"en={links}",
            "--output",
            str(scores_file),
        ]
    )
    assert status == 0
    scores = json.loads(scores_file.read_text())
    assert (scores["system"], scores["test"]) == ("a-system", "mlama")
    assert list(scores["results"]) == variants
    assert scores["runs"] == [{"run": "pretrained", "seed": 0}]
    assert scores["counts"] == {"en": 9, "tr": 2, "ga": 2}
    assert list(scores["unavailable"]) == ["ko"]
    for variant in variants:
        english = scores["results"][variant]["en"]
        assert sorted(english) == sorted(
            f"{setting}_{measure}"
            for setting in ("full", "restricted")
            for measure in ("micro", "triple", "macro", "p5", "p10", "mrr")
        )
        assert all(len(values) == 1 and 0 <= values[0] <= 100 for values in english.values())
        bias = scores["details"]["language_bias"][variant]["en"]
        assert bias["questions"] == 3 and bias["top1_false"] <= bias["total_false"] <= 3
        heat = scores["details"]["per_relation"][variant]["en"]["full"]
        assert {name: entry["questions"] for name, entry in heat.items()} == {
            "P1303": 1,
            "P36": 3,
            "P37": 2,
            "P740": 3,
        }


@pytest.mark.parametrize(
    ("name", "probe", "columns"),
    [
        ("probe_retrieval", {"languages": ["de", "hi"], "maximum_length": 64}, ["mrr"]),
        (
            "probe_modularity",
            {"languages": ["de", "tr"], "neighbours": 3, "sweep": [1, 3]},
            ["modularity", "modularity_k1", "modularity_k3"],
        ),
    ],
)
@pytest.mark.parametrize(("kind", "inputs"), [("words", "word"), ("luke", "entity")])
def test_probes_of_vectors(
    world: ProbeWorld,
    tmp_path: Path,
    name: str,
    probe: dict[str, object],
    columns: list[str],
    kind: str,
    inputs: str,
) -> None:
    write = write_mlqa if name == "probe_retrieval" else write_relx
    source = write(tmp_path / "data")
    written = []
    for attempt in ("one", "two"):
        output, features = tmp_path / f"{attempt}.json", tmp_path / f"{attempt}.npz"
        status = script(name).main(
            [
                "--settings",
                settings(inputs, probe),
                "--model",
                str(getattr(world, kind)),
                "--source",
                str(source.path),
                "--output",
                str(output),
                "--features",
                str(features),
            ]
        )
        assert status == 0
        written.append((output.read_bytes(), features.read_bytes()))
    assert written[0] == written[1]
    scores = json.loads(written[0][0])
    assert scores["system"] == "a-system"
    assert sorted(scores["results"]["default"]["de"]) == columns
    assert len(scores["unavailable"]) == 1
    with np.load(tmp_path / "one.npz", allow_pickle=False) as stored:
        assert sorted(stored) == ["de_ids", "de_vectors", "en_ids", "en_vectors"]
        assert len(stored["de_ids"]) == len(stored["de_vectors"]) == 4


def test_wrong_arguments_give_one_message(
    world: ProbeWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "mlama.parquet"
    probe = script("probe_mlama")
    arguments = mlama_arguments(world, world.words, "entity", output)
    assert probe.main(arguments) == 1
    assert "a model without entities cannot be asked" in capsys.readouterr().err
    arguments = mlama_arguments(world, world.words, "word", output)
    assert probe.main(arguments[:5] + arguments[6:]) == 1
    assert "--sources lacks data" in capsys.readouterr().err
    assert probe.main(["--settings", "{}", *arguments[2:]]) == 1
    assert "also needs system, inputs, seed, probe" in capsys.readouterr().err
    missing = [*arguments[:3], str(tmp_path / "none"), *arguments[4:]]
    assert probe.main(missing) == 1
    error = capsys.readouterr().err
    assert str(tmp_path / "none") in error and "Traceback" not in error
    assert not output.exists()


@pytest.mark.parametrize(
    "name", ["probe_mlama", "score_mlama", "probe_retrieval", "probe_modularity"]
)
def test_help_needs_no_heavy_library(name: str) -> None:
    command = (
        f"import sys, runpy; sys.argv = ['{name}', '--help']\n"
        "try:\n"
        f"    runpy.run_path({str(SCRIPTS / f'{name}.py')!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print('loaded', sorted({'torch', 'pyarrow', 'transformers'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", command],
        capture_output=True,
        text=True,
        check=True,
        cwd=SCRIPTS.parent,
    )
    assert "Example:" in done.stdout
    assert done.stdout.endswith("loaded []\n")
