"""Reader of MediaWiki's parser tests: wikitext beside the HTML that MediaWiki makes of it.

A file is a sequence of blocks, each a run of sections that begin with ``!! name`` and end with
``!! end``; a test has the sections ``test`` (its name), ``options``, ``config``, ``wikitext`` and
one ``html…`` per parser. Lines outside blocks are comments.
https://www.mediawiki.org/wiki/Parser_tests describes the format.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mluke_core.errors import DataError

_MARK = re.compile(r"!!\s*(\S+)\s*\Z")
_ENDS = {"end": "test", "endarticle": "article", "endhooks": "hooks"}
_STARTS = frozenset({"test", "article", "hooks", "functionhooks"})
_OPTION = re.compile(r"\s*([\w-]+)(\s*=\s*)?")
_VALUE = re.compile(r"\[\[(.*?)\]\]|\"((?:[^\"\\]|\\.)*)\"|([^\s,\"\[{]+)")


@dataclass(frozen=True)
class ParserTest:
    """One test of a file."""

    file: str
    line: int
    """Where it begins, counted from 1."""
    name: str
    options: dict[str, Any]
    """``{"language": "zh", "subpage": True, "parsoid": {"modes": ["wt2html"]}}``."""
    sections: dict[str, str]
    """Text by section, for example ``wikitext``, ``html/php``; without the last line feed."""

    @property
    def wikitext(self) -> str | None:
        """What is parsed; None for a test that has none."""
        return self.sections.get("wikitext", self.sections.get("input"))

    @property
    def key(self) -> str:
        """Unique name: the file's and the test's."""
        return f"{self.file}: {self.name}"


def read_folder(folder: Path) -> list[ParserTest]:
    """All tests of the files ``*.txt`` and ``*.txt.gz`` of a folder, in order of the names.

    Raises:
        DataError: there is no such file.
    """
    paths = sorted([*folder.glob("*.txt"), *folder.glob("*.txt.gz")])
    if not paths:
        raise DataError(
            f"{folder}: no parser tests there (*.txt or *.txt.gz of MediaWiki's "
            "tests/parser); say where they are with --tests DIR"
        )
    return [test for path in paths for test in read_tests(path)]


def read_tests(path: Path) -> list[ParserTest]:
    """The tests of one file; articles and hooks are skipped.

    Raises:
        DataError: a block does not end, or a test has no name; with file and line.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="\n") as stream:
        lines = stream.read().split("\n")
    name = path.name.removesuffix(".gz").removesuffix(".txt")
    tests = []
    seen: dict[str, int] = {}
    for line, sections in _blocks(lines, path):
        if "test" not in sections:
            continue
        title = sections.pop("test").strip()
        if not title:
            raise DataError(f"{path}:{line}: a test without a name; the line below !! test has it")
        seen[title] = seen.get(title, 0) + 1
        if seen[title] > 1:
            title += f" ({seen[title]})"
        options = parse_options(sections.pop("options", ""))
        tests.append(ParserTest(name, line, title, options, sections))
    return tests


def _blocks(lines: list[str], path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and sections of every block."""
    sections: dict[str, list[str]] = {}
    current = ""
    began = 0
    for number, line in enumerate(lines, 1):
        match = _MARK.match(line) if line.startswith("!!") else None
        if match is None:
            if sections:
                sections[current].append(line)
            continue
        mark = match.group(1).lower()
        if mark in _ENDS and sections:
            yield began, {key: "\n".join(value) for key, value in sections.items()}
            sections = {}
        elif sections and mark in _STARTS:
            raise DataError(
                f"{path}:{number}: !! {mark} inside the block of line {began}, "
                "which has no !! end before it"
            )
        elif sections or mark in _STARTS:
            began = began if sections else number
            current = mark
            # A section that is given twice counts once, as MediaWiki reads it: the last.
            sections[current] = []
    if sections:
        raise DataError(f"{path}:{began}: the block that begins there has no !! end")


def parse_options(text: str) -> dict[str, Any]:
    """Options of a test: flags, ``key=value``, ``key=[[Title]]``, ``key=a,b``, ``key={JSON}``.

    >>> parse_options('subpage title=[[Main Page]] parsoid=wt2html,wt2wt')
    {'subpage': True, 'title': 'Main Page', 'parsoid': ['wt2html', 'wt2wt']}
    """
    options: dict[str, Any] = {}
    position = 0
    while match := _OPTION.match(text, position):
        position = match.end()
        key = match.group(1).lower()
        if not match.group(2):
            options[key] = True
            continue
        if text.startswith(("{", "["), position) and not text.startswith("[[", position):
            options[key], position = json.JSONDecoder().raw_decode(text, position)
            continue
        values: list[str] = []
        while value := _VALUE.match(text, position):
            values.append(next(group for group in value.groups() if group is not None))
            position = value.end()
            if not text.startswith(",", position):
                break
            position += 1
        options[key] = values[0] if len(values) == 1 else values
    return options
