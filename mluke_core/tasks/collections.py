"""Which file holds which column of a test collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

from mluke_core.errors import ConfigError
from mluke_core.io.sources import Source


@dataclass(frozen=True)
class TestColumn:
    """One column of a test collection.

    Attributes:
        name: the column: a language, or ``<context>-<question>`` for G-XLT.
        path: its file; None when there is none, with the reason in ``missing``.
        languages: ``context_language``, ``question_language`` and ``title_language``.
    """

    name: str
    path: Path | None
    missing: str
    languages: dict[str, str]


@dataclass(frozen=True)
class Layout:
    """How the files of a collection are named."""

    member: str
    """Name in the source, with ``{context}`` and ``{question}`` for the languages."""
    title_language: str | None
    """Language of the article titles; None: that of the context."""
    pairs: bool = False
    """Whether the columns are pairs of different languages."""


LAYOUTS: dict[str, Layout] = {
    # XQuAD is a translation of SQuAD: its titles are English in every language.
    "xquad": Layout("xquad.{context}.json", "en"),
    "mlqa": Layout("MLQA_V1/test/test-context-{context}-question-{question}.json", None),
    "gxlt": Layout("MLQA_V1/test/test-context-{context}-question-{question}.json", None, True),
    "relx": Layout("RELX_{context}.txt", None),
}


def test_columns(settings: Mapping[str, Any], sources: Mapping[str, Path]) -> list[TestColumn]:
    """The columns of the collection ``settings["test"]``, in the order of the configuration.

    ``settings["files"]`` (column -> {source, file}) says where they are; without it the layout of
    the collection does, in the one source that is given.

    Raises:
        ConfigError: a collection with neither files nor a known layout.
    """
    columns, reasons = settings["columns"], settings.get("unavailable", {})
    opened = {name: Source(path) for name, path in sources.items()}
    if settings.get("files"):
        return [
            _column(column, column, column, None, settings["files"].get(column), opened, reasons)
            for column in columns
        ]
    layout = LAYOUTS.get(settings["test"])
    if layout is None:
        raise ConfigError(
            f"test collection '{settings['test']}' has no `files` in the configuration, and none "
            f"of the known layouts ({', '.join(LAYOUTS)}) is its own: list its files."
        )
    if len(opened) > 1:
        raise ConfigError(
            f"test collection '{settings['test']}' is read from one source; "
            f"--sources names {', '.join(opened)}."
        )
    source = next(iter(opened), "")
    pairs = list(permutations(columns, 2)) if layout.pairs else [(c, c) for c in columns]
    return [
        _column(
            f"{context}-{question}" if layout.pairs else context,
            context,
            question,
            layout.title_language,
            {
                "source": source,
                "file": layout.member.format(context=context, question=question),
            },
            opened,
            reasons,
        )
        for context, question in pairs
    ]


def _column(
    name: str,
    context: str,
    question: str,
    title: str | None,
    entry: Mapping[str, str] | None,
    sources: Mapping[str, Source],
    reasons: Mapping[str, str],
) -> TestColumn:
    path, missing = None, ""
    if name in reasons:
        missing = reasons[name]
    elif entry is None:
        missing = "no file is configured for this column"
    elif entry["source"] not in sources:
        missing = f"source '{entry['source']}' was not given" if entry["source"] else "no source"
    elif entry["file"] not in sources[entry["source"]]:
        missing = f"source '{entry['source']}' has no file '{entry['file']}'"
    else:
        path = sources[entry["source"]].file(entry["file"])
    languages = {
        "context_language": context,
        "question_language": question,
        "title_language": title or context,
    }
    return TestColumn(name, path, missing, languages)
