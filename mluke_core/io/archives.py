"""Unpack zip archives from strangers: nothing leaves the target, no links, bounded size."""

from __future__ import annotations

import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mluke_core.errors import DataError
from mluke_core.io.files import atomic_path
from mluke_core.io.progress import Progress

COPY_BYTES = 1 << 20
# Text compresses ten- to thirtyfold; a file of zeros a thousandfold.
MAXIMUM_RATIO = 200
# Below this no ratio can do harm.
HARMLESS_BYTES = 64 << 20
MAXIMUM_BYTES = 20 << 30
_ENCRYPTED = 0x1
# What archivers of one system add and nobody wants.
_JUNK = ("__MACOSX/", ".DS_Store")


@dataclass(frozen=True)
class Limits:
    """How large what an archive unpacks to may be."""

    total_bytes: int = MAXIMUM_BYTES
    ratio: float = MAXIMUM_RATIO
    """Unpacked over packed size of the archive, beyond ``harmless_bytes``."""
    harmless_bytes: int = HARMLESS_BYTES


def unpack_zip(archive: Path, target: Path, limits: Limits | None = None) -> dict[str, Path]:
    """Unpack ``archive`` into the folder ``target``, which appears when it is complete.

    A folder that already stands there is replaced. Sizes are counted while unpacking: what the
    archive claims is not trusted.

    Returns:
        Member name to path, for the files (not folders), sorted by name.

    Raises:
        DataError: not a zip archive, damaged, encrypted, too large, or a member that is a link,
            stands twice, or has a name that leads out of the target.
    """
    limits = limits or Limits()
    try:
        with zipfile.ZipFile(archive) as opened, atomic_path(target) as temporary:
            temporary.mkdir(parents=True)
            members = _checked_members(opened, archive)
            allowed = min(
                limits.total_bytes,
                max(int(archive.stat().st_size * limits.ratio), limits.harmless_bytes),
            )
            written = 0
            total = sum(member.file_size for member in members.values())
            with Progress(f"unpack {archive.name}", total=total, unit="B") as progress:
                for name, member in members.items():
                    path = temporary / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with opened.open(member) as reader, open(path, "xb") as writer:
                        while block := reader.read(COPY_BYTES):
                            written += len(block)
                            if written > allowed:
                                raise DataError(
                                    f"{archive}: unpacks to more than {allowed:,} bytes, which no "
                                    "data set of the project does. It is refused; fetch it again "
                                    "from a server you trust."
                                )
                            writer.write(block)
                            progress.update(len(block))
    # zipfile raises NotImplementedError for a compression method or encryption it cannot read.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(
            f"{archive}: not a readable zip archive ({error}). Delete it to have it fetched again."
        ) from None
    return {name: target / name for name in sorted(members)}


def _checked_members(opened: zipfile.ZipFile, archive: Path) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for member in opened.infolist():
        name = member.filename
        # zipfile cuts names at a NUL and turns backslashes of Windows archives into slashes;
        # what the archive really says is in orig_filename.
        raw = member.orig_filename
        path = PurePosixPath(name)
        problem = ""
        if not path.parts or any(character in raw for character in "\0\\:"):
            problem = "has a name that is not a plain path"
        elif path.is_absolute() or ".." in path.parts:
            problem = "leads out of the folder"
        elif member.flag_bits & _ENCRYPTED:
            problem = "is encrypted"
        elif stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            problem = "is a link or special file"
        elif str(path) in members:
            problem = "stands twice in it"
        if problem:
            raise DataError(
                f"{archive}: its member {raw!r} {problem}. The archive is refused; fetch it again "
                "from a server you trust."
            )
        if member.is_dir() or name.startswith(_JUNK[0]) or path.name == _JUNK[1]:
            continue
        members[str(path)] = member
    for name in members:
        if any(str(parent) in members for parent in PurePosixPath(name).parents):
            raise DataError(f"{archive}: its member {name!r} stands inside another file. Refused.")
    return members
