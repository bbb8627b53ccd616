"""Unpacking archives from strangers."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from mluke_core.errors import DataError
from mluke_core.io.archives import Limits, unpack_zip


def write(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def refused(archive: Path, target: Path, message: str, limits: Limits | None = None) -> None:
    with pytest.raises(DataError, match=message):
        unpack_zip(archive, target, limits)
    assert sorted(p.name for p in target.parent.iterdir()) == [archive.name]


def test_members_are_listed_and_unpacked(tmp_path: Path) -> None:
    archive = write(
        tmp_path / "a.zip",
        {
            "d/": b"",
            "d/b.txt": b"2",
            "a.txt": b"1",
            "__MACOSX/d/._b.txt": b"x",
            "d/.DS_Store": b"x",
        },
    )
    files = unpack_zip(archive, tmp_path / "a.zip.d")
    assert list(files) == ["a.txt", "d/b.txt"]
    assert [path.read_bytes() for path in files.values()] == [b"1", b"2"]
    assert files["d/b.txt"] == tmp_path / "a.zip.d" / "d" / "b.txt"
    assert not (tmp_path / "a.zip.d" / "__MACOSX").exists()


def test_an_earlier_folder_is_replaced(tmp_path: Path) -> None:
    unpack_zip(write(tmp_path / "a.zip", {"old.txt": b"1"}), tmp_path / "d")
    unpack_zip(write(tmp_path / "a.zip", {"new.txt": b"2"}), tmp_path / "d")
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["new.txt"]


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "a/..", "C:/x", "a\\..\\x", "c:x", "."]
)
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    archive = write(tmp_path / "a.zip", {"good": b"1", name: b"2"})
    refused(archive, tmp_path / "d", "leads out|not a plain path")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_special_files(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    refused(path, tmp_path / "d", "is a link or special file")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_stands_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "1")
        archive.writestr("a", "2")
    refused(path, tmp_path / "d", "stands twice")


def test_a_member_inside_another(tmp_path: Path) -> None:
    refused(write(tmp_path / "a.zip", {"a": b"1", "a/b": b"2"}), tmp_path / "d", "inside another")


def test_bombs(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", {"zeros": bytes(3_000_000)})
    refused(archive, tmp_path / "d", "more than 1,000 bytes", Limits(total_bytes=1000))
    refused(archive, tmp_path / "d", "more than", Limits(ratio=10, harmless_bytes=1000))
    assert unpack_zip(archive, tmp_path / "d")


def test_a_bomb_that_lies_about_its_size(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"zeros": bytes(3_000_000)})
    raw = path.read_bytes().replace((3_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(raw)
    refused(path, tmp_path / "d", "more than|not a readable zip", Limits(total_bytes=1000))


def test_damaged_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"no zip")
    refused(path, tmp_path / "d", "not a readable zip archive")
    raw = write(path, {"a.txt": b"some text " * 1000}, zipfile.ZIP_STORED).read_bytes()
    path.write_bytes(raw.replace(b"some text", b"Some text", 1))
    refused(path, tmp_path / "d", "Bad CRC")
    path.write_bytes(raw[:-30])
    refused(path, tmp_path / "d", "not a readable zip archive")


def test_encrypted_members(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"a": b"1"}, zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    raw[raw.find(b"PK\1\2") + 8] |= 1
    path.write_bytes(raw)
    refused(path, tmp_path / "d", "is encrypted")
