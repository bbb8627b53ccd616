"""``python -m mluke_core.metrics``: the figures and the layout of the official scripts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mluke_core.metrics.__main__ import METRICS, main
from tests import task_world as world


def write(path: Path, content: object) -> str:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    return str(path)


def squad_text(answers: dict[str, list[str]]) -> str:
    qas = [
        {"id": key, "question": "?", "answers": [{"text": t, "answer_start": 0} for t in texts]}
        for key, texts in answers.items()
    ]
    context = " ".join(text for texts in answers.values() for text in texts)
    return world.squad_json([{"context": context, "qas": qas}])


def question_file(folder: Path, answers: dict[str, list[str]]) -> str:
    return write(folder / "gold.json", squad_text(answers))


def test_squad(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gold = question_file(tmp_path, {"a": ["the Rhine", "River Rhine"], "b": ["Rome"], "c": ["42"]})
    predictions = write(tmp_path / "p.json", {"a": "Rhine river", "b": "rome!", "z": "?"})
    assert main(["squad", predictions, gold]) == 0
    shown = capsys.readouterr()
    scores = json.loads(shown.out)
    assert list(scores) == ["exact_match", "f1"]
    assert scores == pytest.approx({"exact_match": 100 / 3, "f1": 200 / 3})
    assert "1 examples without a prediction count as wrong: c" in shown.err
    assert "1 predictions of unknown ids are ignored: z" in shown.err


def test_mlqa_follows_the_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gold = question_file(tmp_path, {"a": ["长江大桥"]})
    predictions = write(tmp_path / "p.json", {"a": "长江"})
    for language, f1 in (("zh", 200 / 3), ("en", 0.0)):
        assert main(["mlqa", predictions, gold, "--language", language]) == 0
        assert json.loads(capsys.readouterr().out)["f1"] == pytest.approx(f1)
    assert main(["mlqa", predictions, gold, "--language", "th"]) == 1
    assert "'th'; it covers en, es" in capsys.readouterr().err


def test_relx(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gold = write(
        tmp_path / "gold.txt",
        '1\t"<e1> A </e1> x <e2> B </e2>"\nr(e1,e2)\n\n2\t"<e1> A </e1> <e2> B </e2>"\ns(e2,e1)\n',
    )
    labels = write(tmp_path / "train.txt", gold_text(["r(e1,e2)", "s(e1,e2)", "t(e1,e2)"]))
    predictions = write(tmp_path / "p.json", {"1": "r(e1,e2)", "2": "u(e1,e2)"})
    assert main(["relx", predictions, gold]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["macro_f1"] == 50
    assert "u(e1,e2)" in shown.err
    assert main(["relx", predictions, gold, "--labels", labels]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["macro_f1"] == pytest.approx(100 / 3)
    assert list(scores["relations"]) == ["r", "s", "t"]


def gold_text(labels: list[str]) -> str:
    return "\n\n".join(
        f'{n}\t"<e1> A </e1> x <e2> B </e2>"\n{label}' for n, label in enumerate(labels)
    )


def test_conll(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["a B-PER", "b I-PER", "c O", "d B-LOC", "", "e B-LOC", "f O"]
    gold = write(tmp_path / "gold", "\n".join(words))
    predictions = write(tmp_path / "p.json", {"0": [[0, 2, "PER"], [3, 4, "ORG"]]})
    assert main(["conll", predictions, gold]) == 0
    # The layout of conlleval, worked out by hand: 4 of 6 tags are right.
    assert capsys.readouterr().out.splitlines() == [
        "processed 6 tokens with 3 phrases; found: 2 phrases; correct: 1.",
        "accuracy:  66.67%; precision:  50.00%; recall:  33.33%; FB1:  40.00",
        "              LOC: precision:   0.00%; recall:   0.00%; FB1:   0.00  0",
        "              ORG: precision:   0.00%; recall:   0.00%; FB1:   0.00  1",
        "              PER: precision: 100.00%; recall: 100.00%; FB1: 100.00  1",
    ]


@pytest.mark.parametrize(
    ("metric", "predictions", "message"),
    [
        ("squad", ["x"], "expected a JSON object"),
        ("squad", {"a": 3}, "the prediction of 'a' is 3; expected a text"),
        ("conll", {"0": "O O"}, "expected a list"),
        ("conll", {"0": [[0, 1]]}, r"is not a list of spans such as"),
        ("conll", {"0": [[0, 9, "PER"]]}, "has 1 words, but a span [0, 9]"),
        ("squad", "{", "p.json"),
    ],
)
def test_wrong_files(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    metric: str,
    predictions: object,
    message: str,
) -> None:
    gold = (
        question_file(tmp_path, {"a": ["x"]})
        if metric == "squad"
        else write(tmp_path / "gold", "a B-PER\n")
    )
    assert main([metric, write(tmp_path / "p.json", predictions), gold]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("ERROR: ")
    assert message in shown.err
    assert not shown.out


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", ["gold", "predictions"])
def test_missing_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], metric: str, name: str
) -> None:
    gold = {
        "squad": squad_text({"a": ["x"]}),
        "mlqa": squad_text({"a": ["x"]}),
        "relx": gold_text(["r(e1,e2)"]),
        "conll": "a B-PER\n",
    }
    paths = {
        "predictions": write(tmp_path / "predictions", {}),
        "gold": write(tmp_path / "gold", gold[metric]),
    }
    Path(paths[name]).unlink()
    assert main([metric, paths["predictions"], paths["gold"]]) == 1
    message = f"ERROR: {paths[name]}: cannot be read (No such file or directory). Check the path."
    assert message in capsys.readouterr().err
    Path(paths[name]).mkdir()
    assert main([metric, paths["predictions"], paths["gold"]]) == 1
    assert f"{paths[name]}: cannot be read (Is a directory)" in capsys.readouterr().err


def test_damaged_json_is_the_user_s_to_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = question_file(tmp_path, {"a": ["x"]})
    bad = write(tmp_path / "bad.json", "{")
    for predictions, gold in ((bad, good), (good, bad)):
        assert main(["squad", predictions, gold]) == 1
        shown = capsys.readouterr().err
        assert f"{bad}: not valid JSON" in shown
        assert "Mend it, or fetch it again." in shown
        assert "Delete" not in shown


def test_as_a_program_without_heavy_imports(root: Path, tmp_path: Path) -> None:
    gold = question_file(tmp_path, {"a": ["x"]})
    program = (
        "import runpy, sys; sys.argv = ['metrics', *sys.argv[1:]]\n"
        "try: runpy.run_module('mluke_core.metrics', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'torch', 'transformers', 'pyarrow'} & set(sys.modules)"
    )
    predictions = write(tmp_path / "p.json", {"a": "x"})
    command = [sys.executable, "-c", program, "squad", predictions, gold]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"exact_match": 100.0, "f1": 100.0}
