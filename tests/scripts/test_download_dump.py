"""The step `download_dump` as a command."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from workflow_scripts.download_dump import main

DATE = "20230501"
STEM = f"xxwiki-{DATE}-pages-articles"


def write_dump(
    mirror: Path,
    files: dict[str, bytes],
    jobs: dict[str, Any] | None = None,
    host: str = "d.example",
) -> None:
    folder = mirror / host / "xxwiki" / DATE
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    if jobs is not None:
        (folder / "dumpstatus.json").write_text(json.dumps({"version": "0.8", "jobs": jobs}))


def job(files: dict[str, bytes], status: str = "done") -> dict[str, Any]:
    return {
        "status": status,
        "files": {
            name: {"size": len(data), "sha1": hashlib.sha1(data).hexdigest()}
            for name, data in files.items()
        },
    }


def run(folder: Path, **settings: Any) -> tuple[int, Path]:
    output = folder / "dumps" / "xx.json"
    bases = [f"https://{host}/xxwiki/{DATE}" for host in ("d.example", "archive.example")]
    full = {"language": "xx", "wiki": "xxwiki", "date": DATE, "urls": bases, **settings}
    full.setdefault("mirror", str(folder / "mirror"))
    arguments = ["--settings", json.dumps(full), "--downloads", str(folder / "d")]
    return main([*arguments, "--output", str(output)]), output


def names(output: Path) -> list[str]:
    return [Path(file["path"]).name for file in json.loads(output.read_text())["files"]]


PARTS = {
    f"{STEM}-multistream10.xml-p900p950.bz2": b"ten",
    f"{STEM}-multistream2.xml-p5p899.bz2": b"two",
    f"{STEM}-multistream1.xml-p1p4.bz2": b"one",
    f"{STEM}-multistream-index1.txt-p1p4.bz2": b"index",
}
PLAIN = {f"{STEM}.xml.bz2": b"plain"}


def test_parts_in_page_order(tmp_path: Path) -> None:
    jobs = {"articlesmultistreamdump": job(PARTS), "articlesdump": job(PLAIN)}
    write_dump(tmp_path / "mirror", PARTS, jobs)
    status, output = run(tmp_path)
    assert status == 0
    manifest = json.loads(output.read_text())
    assert (manifest["language"], manifest["wiki"], manifest["date"]) == ("xx", "xxwiki", DATE)
    first = manifest["files"][0]
    assert first["bytes"] == 3 and first["sha1"] == hashlib.sha1(b"one").hexdigest()
    assert Path(first["path"]).read_bytes() == b"one"
    assert [name[len(STEM) + 12 :].partition(".")[0] for name in names(output)] == ["1", "2", "10"]


def test_plain_files_where_there_is_no_multistream(tmp_path: Path) -> None:
    jobs = {"articlesmultistreamdump": job({}, "failed"), "articlesdump": job(PLAIN)}
    write_dump(tmp_path / "mirror", PLAIN, jobs)
    status, output = run(tmp_path)
    assert status == 0 and names(output) == list(PLAIN)


def test_an_archive_holds_what_the_server_no_longer_has(tmp_path: Path) -> None:
    write_dump(tmp_path / "mirror", PLAIN, {"articlesdump": job(PLAIN)}, "archive.example")
    status, output = run(tmp_path)
    assert status == 0 and "archive.example" in output.read_text()


def test_an_archive_with_digests_but_no_status(tmp_path: Path) -> None:
    lines = "".join(f"{hashlib.sha1(data).hexdigest()}  {n}\n" for n, data in PARTS.items())
    sums = {f"xxwiki-{DATE}-sha1sums.txt": lines.encode()}
    write_dump(tmp_path / "mirror", PARTS | sums)
    status, output = run(tmp_path)
    assert status == 0 and len(names(output)) == 3


@pytest.mark.parametrize(
    ("jobs", "served", "message"),
    [
        (None, b"", "cannot be found"),
        ({}, b"", "no job"),
        ({"articlesdump": job(PLAIN, "in-progress")}, b"", "articlesdump is 'in-progress'"),
        ({"articlesdump": job({"x.txt": b""})}, b"", "lists no pages-articles file"),
        ({"articlesdump": job(PLAIN)}, b"pl", "size is 2, but"),
        ({"articlesdump": job(PLAIN)}, b"PLAIN", "dumpstatus.json promises"),
        ({"articlesdump": job({f"{STEM}9.xml-p1p2.bz2": b"gone"})}, b"", "no such file"),
    ],
)
def test_one_clear_message(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    jobs: dict[str, Any] | None,
    served: bytes,
    message: str,
) -> None:
    write_dump(tmp_path / "mirror", {f"{STEM}.xml.bz2": served}, jobs)
    status, output = run(tmp_path)
    assert status == 1 and not output.exists()
    error = capsys.readouterr().err
    assert message in error and error.count("ERROR") == 1


def test_a_dump_in_the_making_is_asked_for_again(tmp_path: Path) -> None:
    write_dump(tmp_path / "mirror", PLAIN, {"articlesdump": job(PLAIN, "in-progress")})
    assert run(tmp_path)[0] == 1
    status = tmp_path / "mirror" / "d.example" / "xxwiki" / DATE / "dumpstatus.json"
    status.write_text(json.dumps({"jobs": {"articlesdump": job(PLAIN)}}))
    code, output = run(tmp_path)
    assert code == 0 and names(output) == list(PLAIN)


def test_a_missing_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--settings", "{}", "--downloads", "d", "--output", str(tmp_path / "x")]) == 1
    assert "language, wiki, date, urls" in capsys.readouterr().err
