"""The step `extract` as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.dumps import articles, multistream
from workflow_scripts.extract import main


def run(folder: Path, files: list[Path], settings: dict, part: str = "000", parts: int = 1) -> int:
    manifest = folder / "en.json"
    entries = [{"path": str(path), "bytes": 0, "sha1": ""} for path in files]
    manifest.write_text(
        json.dumps({"language": "en", "wiki": "enwiki", "date": "20230501", "files": entries})
    )
    outputs = []
    for kind in ("pages", "redirects", "report"):
        outputs += [f"--{kind}", str(folder / "out" / f"{part}.{kind}")]
    arguments = ["--settings", json.dumps(settings), "--dump", str(manifest), *outputs]
    return main([*arguments, "--part", part, "--parts", str(parts)])


def test_parts_by_their_names(tmp_path: Path) -> None:
    files = [multistream(tmp_path / "x.bz2", articles(20))]
    settings = {"language": "en", "wiki": "enwiki", "corpus": {"link_trails": False}}
    for part in ("000", "001", "002"):
        assert run(tmp_path, files, settings, part, 3) == 0
    rows = [
        row
        for part in ("000", "001", "002")
        for row in pq.read_table(tmp_path / "out" / f"{part}.pages").to_pylist()
    ]
    assert [row["page_id"] for row in rows] == list(range(1, 21))
    assert rows[0]["paragraphs"][0]["links"] == [{"start": 8, "end": 16, "target": "Target 1"}]
    assert json.loads((tmp_path / "out" / "002.report").read_text())["part"] == 2


@pytest.mark.parametrize(
    ("settings", "part", "message"),
    [
        ({}, "000", "needs language"),
        ({"language": "en", "wiki": "dewiki"}, "000", "asked for"),
        ({"language": "en"}, "007", "parts are numbered 0 to 0"),
        ({"language": "en", "corpus": {"extractor": "x"}}, "000", "mluke or wikiextractor"),
    ],
)
def test_one_clear_message(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    settings: dict,
    part: str,
    message: str,
) -> None:
    assert run(tmp_path, [multistream(tmp_path / "x.bz2", articles(2))], settings, part) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("ERROR") == 1
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_dump_cut_off_in_the_middle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = multistream(tmp_path / "x.bz2", articles(20))
    path.write_bytes(path.read_bytes()[:-100])
    assert run(tmp_path, [path], {"language": "en"}) == 1
    assert "x.bz2: cut off at byte" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())
    assert run(tmp_path, [path], {"language": "en", "corpus": {"allow_truncated": True}}) == 0
