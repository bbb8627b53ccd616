"""The step `download_source` as a command."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mluke_core.io.sources import Source
from tests.http_world import World, serve
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


def sha1_list(world: Path, host: str, lines: dict[str, bytes]) -> None:
    folder = world / "mirror" / host
    folder.mkdir(exist_ok=True)
    text = "".join(f"{hashlib.sha1(data).hexdigest()}  {name}\n" for name, data in lines.items())
    (folder / "x-sha1sums.txt").write_text(text)


def listed(world: Path, *hosts: str, **entry: Any) -> tuple[int, Path]:
    """Fetch a.json from ``hosts``, each of which may have a list of digests."""
    urls = [f"https://{host}/a.json" for host in hosts]
    checksums = [f"https://{host}/x-sha1sums.txt" for host in hosts]
    files = [{"name": "a.json", "urls": urls, **entry}]
    return run(world, files=files, checksums=checksums, mirror=str(world / "mirror"))


def test_files_are_held_to_the_publishers_digests(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sha1_list(world, "archive.example", {"b.json": b"", "a.json": b"[1]"})
    status, output = listed(world, "host.example", "archive.example")
    assert status == 0 and Source(output).file("a.json").read_text() == "[1]"
    assert "not checked" not in capsys.readouterr().err
    assert (world / "d/archive.example/x-sha1sums.txt").exists()
    # Another mirror has what was promised.
    (world / "mirror/host.example/a.json").write_text("[2]")
    (world / "mirror/archive.example/a.json").write_text("[1]")
    (world / "d/host.example/a.json").unlink()
    status, output = listed(world, "host.example", "archive.example")
    assert status == 0
    assert json.loads(output.read_text())["files"]["a.json"]["url"].startswith("https://archive.")


def test_a_wrong_digest_names_who_sent_what_and_who_promised(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sha1_list(world, "host.example", {"a.json": b"[2]"})
    status, output = listed(world, "host.example")
    assert status == 1 and not output.exists()
    assert not (world / "d/host.example/a.json").exists()
    error = capsys.readouterr().err
    assert f"{world}/mirror/host.example/a.json sent 3 bytes; sha1 is" in error
    assert (
        "https://host.example/x-sha1sums.txt promises " + hashlib.sha1(b"[2]").hexdigest() in error
    )
    # A pin of the user's own goes first.
    assert listed(world, "host.example", sha256=hashlib.sha256(b"[1]").hexdigest())[0] == 0


def test_without_a_list_the_file_is_taken_with_a_warning(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, output = listed(world, "host.example")
    assert status == 0 and Source(output).file("a.json").exists()
    error = capsys.readouterr().err
    assert "WARNING" in error and "no list of digests" in error and "x-sha1sums.txt" in error
    # A list in the making: it is asked for again.
    sha1_list(world, "host.example", {"b.json": b""})
    assert listed(world, "host.example")[0] == 0
    assert "host.example/x-sha1sums.txt does not list them" in capsys.readouterr().err
    sha1_list(world, "host.example", {"a.json": b"[2]"})
    assert listed(world, "host.example")[0] == 1


def test_a_list_that_cannot_be_had_or_read_is_an_error(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "mirror/host.example/x-sha1sums.txt").write_text("<html>")
    assert listed(world, "host.example")[0] == 1
    assert "x-sha1sums.txt, line 1: not a line of sha1sum" in capsys.readouterr().err.replace(
        " (from https://host.example/x-sha1sums.txt)", ""
    )
    assert not (world / "d/host.example/x-sha1sums.txt").exists()
    with serve(World({"/m/h/a": b"1"}, {"/m/h/s": ["403"]})) as server:
        files = [{"name": "a", "urls": ["https://h/a"]}]
        mirror = f"{server.base}/m"
        assert run(world, files=files, checksums=["https://h/s"], mirror=mirror)[0] == 1
        assert "the server answers 403" in capsys.readouterr().err
        assert run(world, files=files, checksums=["https://h/s"], mirror=mirror)[0] == 0
        assert "the server answers 404" in capsys.readouterr().err


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
