"""One language's extraction report: the parts' reports added up, for people and programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mluke_core.errors import DataError

# Of what is broken, the report names this many; it counts all.
NAMED_BROKEN = 100

_LABELS = {
    "pages": "pages read",
    "articles": "articles",
    "redirects": "redirects",
    "other_namespaces": "pages of other namespaces (left out)",
    "other_models": "pages that are not wikitext (left out)",
    "broken_pages": "malformed pages (left out)",
    "broken_streams": "malformed bzip2 streams (left out)",
    "paragraphs": "paragraphs",
    "characters": "characters",
    "words": "words",
}
_DROPPED_LINKS = {
    "category": "category",
    "empty": "nothing to show",
    "file": "file or picture",
    "interlanguage": "another language's Wikipedia",
    "interwiki": "another project",
    "invalid": "no valid title",
    "namespace": "another namespace",
    "section": "section of the same page",
}
_BROKEN_COLUMNS = ("part", "file", "stream", "page_id", "title", "error")
_DROPPED_REDIRECTS = {
    "chain_leaves_articles": "chain ends outside the articles",
    "circle": "runs in a circle",
    "duplicate": "same title again",
    **_DROPPED_LINKS,
}


def extraction_report(
    parts: Sequence[Mapping[str, Any]], resolved: Mapping[str, Any]
) -> dict[str, Any]:
    """Add up what `extract` reported of a language's parts, with what became of its redirects.

    Args:
        parts: reports of `extract`.
        resolved: report of `resolve_redirects`.

    Returns:
        ``{"language", "parts", "counts", "word_unit", "links": {"kept", "dropped"}, "redirects":
        {"kept", "chains", "dead_ends", "dropped"}, "broken"}``; ``broken`` names at most 100 pages
        and streams, each with its part.

    Raises:
        DataError: the reports are of several languages.
    """
    languages = sorted({report["language"] for report in [*parts, resolved]})
    if len(languages) != 1:
        raise DataError(
            f"reports of one language were expected, these are of {', '.join(languages)}."
        )
    counts: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for report in parts:
        counts.update(report["counts"])
        dropped.update(report["links"]["dropped"])
    broken = [{"part": report["part"], **entry} for report in parts for entry in report["broken"]]
    return {
        "language": languages[0],
        "parts": len(parts),
        "counts": dict(counts),
        "word_unit": parts[0]["word_unit"],
        "links": {
            "kept": sum(report["links"]["kept"] for report in parts),
            "dropped": dict(sorted(dropped.items())),
        },
        "redirects": {key: resolved[key] for key in ("kept", "chains", "dead_ends", "dropped")},
        "broken": broken[:NAMED_BROKEN],
    }


def as_markdown(report: Mapping[str, Any]) -> str:
    """The report as a page to read."""
    counts, links, redirects = report["counts"], report["links"], report["redirects"]
    total = links["kept"] + sum(links["dropped"].values())
    unit = "" if report["word_unit"] == "spaces" else " (characters: the script writes no spaces)"
    lines = [f"# Extraction of {report['language']}wiki", ""]
    rows: list[tuple[str, int]] = []
    for key, label in _LABELS.items():
        rows.append((label + (unit if key == "words" else ""), counts.get(key, 0)))
    lines += _table(f"parts: {report['parts']}", rows)
    lines += ["## Links", ""]
    lines += _table(
        "links in running text",
        [("kept", links["kept"])]
        + [(f"dropped: {_DROPPED_LINKS.get(k, k)}", n) for k, n in links["dropped"].items()],
        total,
    )
    lines += ["## Redirects", ""]
    lines += _table(
        "redirects",
        [
            ("kept", redirects["kept"]),
            ("of these through other redirects", redirects["chains"]),
            ("of these to no article", redirects["dead_ends"] or 0),
        ]
        + [
            (f"dropped: {_DROPPED_REDIRECTS.get(k, k)}", n) for k, n in redirects["dropped"].items()
        ],
        counts.get("redirects", 0),
    )
    if report["broken"]:
        lines += ["## Malformed", "", "| part | file | stream at byte | page | title | error |"]
        lines.append("|---|---|---|---|---|---|")
        for entry in report["broken"]:
            cells = [
                entry.get(k, "") for k in ("part", "file", "stream", "page_id", "title", "error")
            ]
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _table(title: str, rows: Sequence[tuple[str, int]], total: int | None = None) -> list[str]:
    share = " share |" if total else ""
    lines = [f"| {title} | count |{share}", "|---|---|" + ("---|" if total else "")]
    for label, count in rows:
        percent = f" {100 * count / total:.1f} % |" if total else ""
        lines.append(f"| {label} | {count:,} |{percent}")
    return [*lines, ""]


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
