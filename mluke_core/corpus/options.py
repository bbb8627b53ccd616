"""The `corpus` section of the configuration: what is extracted, and when a dump is given up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mluke_core.errors import DataError

PRESETS: dict[str, dict[str, bool]] = {
    "reader": {
        "link_trails": True,
        "local_prefixes": True,
        "template_text": True,
        "paragraph_per_line": False,
    },
    # What the authors' data has (docs/protocol.md); not their errors, such as glued words.
    "authors": {
        "link_trails": False,
        "local_prefixes": False,
        "template_text": False,
        "paragraph_per_line": True,
    },
}


@dataclass(frozen=True)
class CorpusOptions:
    """The section with the preset worked in."""

    extractor: str = "mluke"
    """``mluke`` or ``wikiextractor``."""
    link_trails: bool = True
    """Whether letters around a link's brackets belong to its anchor, as readers see it."""
    local_prefixes: bool = True
    """Whether namespaces are known by their local names, too; false: by their English ones."""
    template_text: bool = True
    """Whether the text of templates such as ``{{lang}}`` is kept."""
    paragraph_per_line: bool = False
    """Whether every line of the wikitext is a paragraph; false: blank lines end paragraphs."""
    max_broken: float = 0.001
    """Share of a part's pages that may be unreadable."""
    allow_truncated: bool = False
    """Whether what there is of a file that breaks off is taken."""


def corpus_options(corpus: Mapping[str, Any] | None = None) -> CorpusOptions:
    """Options of a `corpus` section; null or missing ones are as its preset says.

    >>> corpus_options({"preset": "authors", "template_text": True}).link_trails
    False

    Raises:
        DataError: an unknown preset or key.
    """
    values = {key: value for key, value in (corpus or {}).items() if value is not None}
    preset = values.pop("preset", "reader")
    if preset not in PRESETS:
        raise DataError(f"corpus.preset is {preset!r}; write {' or '.join(PRESETS)}.")
    known = {field.name for field in fields(CorpusOptions)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise DataError(
            f"corpus has no key {', '.join(unknown)}; it has preset, {', '.join(sorted(known))}."
        )
    return CorpusOptions(**{**PRESETS[preset], **values})
