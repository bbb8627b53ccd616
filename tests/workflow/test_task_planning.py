"""One value of the configuration changes exactly the jobs that depend on it.

A job runs again when its command changes (or its input), so two dry runs of the same plan are
compared command by command: no result is needed for that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.workflow.conftest import Run

pytestmark = pytest.mark.workflow

TARGETS = ("table1", "table3", "tableB", "tableF")
Commands = dict[str, str]
Changed = Callable[..., set[str]]


def commands(run: Run, *configuration: str) -> Commands:
    """``step output`` -> command, of every job of a dry run."""
    outcome = run("-n", "-p", *TARGETS, *configuration)
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    found = {}
    for line in (outcome.stdout + outcome.stderr).splitlines():
        scripts = re.findall(r"workflow_scripts/(\w+)\.py", line)
        output = re.search(r"--output(?:-stem)? \S*/mini/(\S+)", line)
        if scripts and output:
            found[f"{scripts[-1]} {output[1]}"] = line.strip()
    return found


@pytest.fixture(scope="module")
def base(run: Run) -> Commands:
    """The plan of scale mini as it is."""
    return commands(run)


@pytest.fixture(scope="module")
def changed(run: Run, base: Commands) -> Changed:
    """The jobs whose command differs under another configuration."""
    assert {name.split()[0] for name in base} >= {"finetune", "select_run", "predict", "score"}

    def compare(*configuration: str) -> set[str]:
        other = commands(run, *configuration)
        # A change may take jobs out of the plan, never put unknown ones in.
        assert other.keys() <= base.keys()
        return {name for name in other if other[name] != base[name]}

    return compare


def finetuning(system: str, task: str, names: set[str]) -> set[str]:
    return {name for name in names if name.startswith(f"finetune finetuned/{system}/{task}/")}


def without_tables(names: set[str]) -> set[str]:
    """Tables that quote a value below them are laid out again when it changes."""
    return {name for name in names if not name.startswith("table ")}


def test_feature_of_names(changed: Changed) -> None:
    names = changed("tasks={ner: {options: {entity_features: entity}}}")
    assert names - without_tables(names) == {"table tables/table3"}
    assert len(without_tables(names)) == 3
    assert len(finetuning("mluke-e-mini", "ner", names)) == 2
    assert "predict predictions/mluke-e-mini/conll.parquet" in names


def test_source_of_mentions(changed: Changed) -> None:
    names = changed("tasks={qa: {options: {mentions: article}}}")
    predictions = {f"predict predictions/mluke-e-mini/{test}.parquet" for test in TESTS_OF_QA}
    assert without_tables(names) == finetuning("mluke-e-mini", "qa", names) | predictions
    assert names - without_tables(names) == {"table tables/table1", "table tables/tableF"}
    assert len(without_tables(names)) == 2 + 3


TESTS_OF_QA = ("xquad", "mlqa", "gxlt")


def test_how_windows_are_compared(changed: Changed) -> None:
    names = changed("tasks={qa: {options: {window_score: logits}}}")
    systems = ("xlmr-mini", "xlmr-extra-mini", "mluke-w-mini", "mluke-e-mini")
    assert without_tables(names) == {
        f"predict predictions/{system}/{test}.parquet" for system in systems for test in TESTS_OF_QA
    }
    assert names - without_tables(names) == {"table tables/table1", "table tables/tableF"}


def test_inputs_of_a_system(changed: Changed) -> None:
    names = changed("systems={mluke-e-mini: {inputs: word}}")
    assert {name.split("/")[1] for name in names if "tables" not in name} == {"mluke-e-mini"}
    assert {name.split()[0] for name in names} >= {"finetune", "predict"}
    assert len({name for name in names if name.startswith("finetune ")}) == 2 + 4 + 2


def blocks_of(root: Path, table: str, test: str, **values: object) -> str:
    """A table's entry on the command line, with the block of one test collection changed."""
    tables = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))["tables"]
    blocks = [
        block | (values if block["test"] == test else {}) for block in tables[table]["blocks"]
    ]
    return f"tables={{{table}: {{blocks: {json.dumps(blocks)}}}}}"


def test_averaging_set(changed: Changed, root: Path) -> None:
    entry = blocks_of(root, "table1", "gxlt", columns=["avg49"], rename={"avg49": "G-XLT_avg"})
    names = changed(entry)
    assert {name.split("/")[-1] for name in names} <= {"table1", "table1.json"}
    assert "table tables/table1" in names


def test_rule_for_gold_that_is_too_long(changed: Changed, root: Path) -> None:
    names = changed(blocks_of(root, "table3", "conll", metric="f1_reachable"))
    assert "table tables/table3" in names
    assert {name.split("/")[-1] for name in names} <= {"table3", "table3.json"}


def test_metric_that_selects(changed: Changed) -> None:
    names = changed("tasks={relation: {metric: micro_f1}}")
    assert {name.split()[0] for name in names} == {"select_run"}
    assert len(names) == 4


def test_what_re_runs_nothing(changed: Changed) -> None:
    assert not {
        name
        for name in changed("finetuning={keep_weights: true}")
        if not name.startswith("select_run ")
    }


def test_more_processes_change_the_launch_alone(run: Run, base: Commands) -> None:
    more = commands(run, "finetuning={processes_per_node: 2}")
    launched = {name for name in base if base[name] != more[name]}
    assert launched == {name for name in base if name.startswith("finetune ")}
    for name in launched:
        assert more[name].replace("launch.sh 1 2 ", "launch.sh 1 1 ") == base[name]


def test_another_backbone_is_an_entry(run: Run) -> None:
    """A word system on a local BERT-type folder: imported, fine-tuned and scored on all tasks."""
    configuration = (
        "sources={mine: {local: data/mine, files: [config.json, model.safetensors, vocab.txt], "
        'version: "1", licence: mine, note: mine}}',
        "tokenizers={mine: {kind: wordpiece, source: mine}}",
        "models={mine: {pretrained: hub, source: mine, tokenizer: mine}}",
        "systems={mine: {label: Mine, model: mine, inputs: word, published: null}}",
        "run={systems: [xlmr-mini, mine]}",
    )
    planned = commands(run, *configuration)
    assert "import_model pretrained/mine" in planned
    assert len(finetuning("mine", "relation", set(planned))) == 4
    assert "score scores/mine/conll.json" in planned
    assert "pretrain pretraining/mluke-mini/stage2" not in planned
