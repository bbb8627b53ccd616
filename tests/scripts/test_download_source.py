"""The step `download_source` as a command."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mluke_core.io.sources import Source
from workflow_scripts.download_source import main


def run(folder: Path, **settings: Any) -> tuple[int, Path]:
    output = folder / "sources" / "s.json"
    arguments = ["--settings", json.dumps({"name": "s", **settings})]
    status = main([*arguments, "--downloads", str(folder / "d"), "--output", str(output)])
    return status, output


@pytest.fixture
def world(tmp_path: Path) -> Path:
    host = tmp_path / "mirror" / "host.example"
    host.mkdir(parents=True)
    (host / "a.json").write_text("[1]")
    with zipfile.ZipFile(host / "z.zip", "w") as archive:
        archive.writestr("top/b.txt", "bee")
    return tmp_path


def test_files_are_listed_by_name(world: Path) -> None:
    digest = hashlib.sha256(b"[1]").hexdigest()
    files = [
        {
            "name": "a.json",
            "urls": ["https://gone.example/a.json", "https://host.example/a.json"],
            "sha256": digest,
        }
    ]
    status, output = run(
        world, files=files, mirror=str(world / "mirror"), version="1", licence="MIT"
    )
    assert status == 0
    manifest = json.loads(output.read_text())
    assert manifest == {
        "source": "s",
        "version": "1",
        "licence": "MIT",
        "files": {
            "a.json": {
                "path": str(world / "d" / "host.example" / "a.json"),
                "bytes": 3,
                "sha256": digest,
                "url": "https://host.example/a.json",
            }
        },
    }
    assert Source(output).file("a.json").read_text() == "[1]"
    before = output.read_bytes()
    assert run(world, files=files, mirror=str(world / "mirror"), version="1", licence="MIT")[0] == 0
    assert output.read_bytes() == before


def test_archives_are_listed_by_member(world: Path) -> None:
    files = [{"name": "z.zip", "url": "https://host.example/z.zip"}]
    status, output = run(world, files=files, unpack=True, mirror=str(world / "mirror"))
    assert status == 0
    path = Source(output).file("top/b.txt")
    assert path == world / "d" / "host.example" / "z.zip.d" / "top" / "b.txt"
    assert path.read_text() == "bee"


def test_a_folder_of_the_user(world: Path) -> None:
    local = world / "mirror" / "host.example"
    status, output = run(world, files=[{"name": "a.json"}], local=str(local))
    assert status == 0 and Source(output).file("a.json") == local / "a.json"
    assert not (world / "d").exists()


@pytest.mark.parametrize(
    ("settings", "messages"),
    [
        ({"files": [{"name": "a"}, "b"], "local": "LOCAL"}, ["lacks a, b", "a.json, z.zip"]),
        ({"files": [{"name": "a"}], "local": "/nowhere"}, ["sources.s.local", "no folder"]),
        ({"files": [], "licence": "LDC"}, ["LDC", "set sources.s.local", "folder with your copy"]),
        (
            {"files": [{"name": "x", "urls": ["https://host.example/x"]}], "mirror": "MIRROR"},
            ["no such file", "host.example/x"],
        ),
        (
            {
                "files": [
                    {"name": "a", "urls": ["https://host.example/a.json"]},
                    {"name": "a", "urls": ["https://host.example/z.zip"]},
                ],
                "mirror": "MIRROR",
            },
            ["two of its files are called 'a'"],
        ),
        (
            {
                "files": [
                    {"name": "a", "urls": ["https://host.example/a.json"], "sha256": "0" * 64}
                ],
                "mirror": "MIRROR",
            },
            ["sources.s.sha256 of the configuration promises", "a.json.rejected"],
        ),
        (
            {
                "files": [{"name": "a", "urls": ["https://host.example/a.json"]}],
                "unpack": True,
                "mirror": "MIRROR",
            },
            ["a.json: not a readable zip archive"],
        ),
        ({"files": [{"name": "a", "urls": ["https://h/a"]}], "mirror": "/nowhere"}, ["mirror:"]),
    ],
)
def test_one_clear_message(
    world: Path, capsys: pytest.CaptureFixture[str], settings: dict[str, Any], messages: list[str]
) -> None:
    places = {"MIRROR": world / "mirror", "LOCAL": world / "mirror" / "host.example"}
    filled = {
        key: str(places[value]) if isinstance(value, str) and value in places else value
        for key, value in settings.items()
    }
    status, output = run(world, **filled)
    assert status == 1 and not output.exists()
    error = capsys.readouterr().err
    assert error.count("ERROR") == 1 and "Traceback" not in error
    for message in messages:
        assert message.lower() in error.lower()
