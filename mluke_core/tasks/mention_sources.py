"""Where the mentions of a question's entities come from, and how many texts had which source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

ARTICLE, DICTIONARY, BOTH = "article", "dictionary", "article+dictionary"
MODES = (ARTICLE, DICTIONARY, BOTH)
NOTHING = "nothing"
"""No source: the article is not in the dumps, or the language has no table."""
SOURCE_NAMES = {ARTICLE: "by article", DICTIONARY: "by dictionary", NOTHING: "by nothing"}
MOST_COLUMNS = 12
"""Collections with more columns are described as a whole."""


def describe_sources(columns: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """At most one line on the ``mentions`` of a coverage file's columns.

    Texts are questions and contexts, each context once.

    >>> describe_sources({"en": {"mentions": {"article": 4, "dictionary": 7}}, "de": {}})
    ['mentions: en: 4 texts by article, 7 by dictionary']
    """
    used = {
        name: Counter(entry["mentions"]) for name, entry in columns.items() if entry.get("mentions")
    }
    if len(used) > MOST_COLUMNS:
        used = {f"{len(used)} columns": sum(used.values(), Counter())}
    parts = [f"{name}: {_texts(counts)}" for name, counts in used.items()]
    return [f"mentions: {'; '.join(parts)}"] if parts else []


def _texts(counts: Mapping[str, int]) -> str:
    (first, number), *rest = sorted(counts.items())
    parts = [f"{number:,} texts {SOURCE_NAMES[first]}"]
    return ", ".join(parts + [f"{count:,} {SOURCE_NAMES[source]}" for source, count in rest])
