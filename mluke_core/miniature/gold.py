"""What the rules must find in the miniature world, known from how it was made.

Files under ``R/gold``, all as JSON lines:

``{lang}.jsonl``            articles in page order: page_id, title, paragraphs [{text, links}]
``{lang}.redirects.jsonl``  source, target, fragment, in page order
``{lang}.resolved.jsonl``   source and target at the end of the chain; target null in a cycle
``{lang}.entities.jsonl``   title, qid, links; most linked first
``vocabulary.jsonl``        qid, count, languages, titles; without the special tokens
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from mluke_core.miniature.encyclopaedia import Page
from mluke_core.miniature.wikidata import Item

MINIMUM_LANGUAGES = 3


def write_gold(folder: Path, pages: Mapping[str, Sequence[Page]], items: Sequence[Item]) -> None:
    """Write the gold of every language, and of the vocabulary over all of them.

    Args:
        folder: made when it does not exist.
        pages: language -> all pages of its dump.
        items: all Wikidata items.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts: dict[str, dict[str, int]] = {}
    for language, all_pages in pages.items():
        write_lines(folder / f"{language}.jsonl", map(_article, articles(all_pages)))
        redirects = [page.redirect for page in all_pages if page.redirect and not page.namespace]
        write_lines(
            folder / f"{language}.redirects.jsonl",
            ({"source": r.source, "target": r.target, "fragment": r.fragment} for r in redirects),
        )
        resolved = resolve({r.source: r.target for r in redirects})
        write_lines(
            folder / f"{language}.resolved.jsonl",
            ({"source": source, "target": resolved[source]} for source in sorted(resolved)),
        )
        counts[language] = count_links(all_pages, resolved)
        qids = {
            item.sitelinks[f"{language}wiki"]: item.qid
            for item in items
            if f"{language}wiki" in item.sitelinks
        }
        ranked = sorted(counts[language].items(), key=lambda entry: (-entry[1], entry[0]))
        write_lines(
            folder / f"{language}.entities.jsonl",
            ({"title": t, "qid": qids.get(t), "links": n} for t, n in ranked),
        )
    write_lines(folder / "vocabulary.jsonl", vocabulary(counts, items))


def articles(pages: Sequence[Page]) -> list[Page]:
    """The pages that extraction must give."""
    return [page for page in pages if page.is_article]


def resolve(redirects: Mapping[str, str]) -> dict[str, str | None]:
    """Follow every redirect to the end of its chain; ``None`` for those that run in a circle."""
    resolved: dict[str, str | None] = {}
    for source in redirects:
        target, seen = redirects[source], {source}
        while target in redirects and target not in seen:
            seen.add(target)
            target = redirects[target]
        resolved[source] = None if target in redirects else target
    return resolved


def count_links(pages: Sequence[Page], resolved: Mapping[str, str | None]) -> dict[str, int]:
    """Links to each existing article, redirects resolved."""
    titles = {page.title for page in articles(pages)}
    counts: Counter[str] = Counter()
    for page in articles(pages):
        for paragraph in page.paragraphs:
            for _, _, target in paragraph.links:
                end = resolved.get(target, target)
                if end in titles:
                    counts[end] += 1
    return dict(counts)


def vocabulary(
    counts: Mapping[str, Mapping[str, int]], items: Sequence[Item]
) -> list[dict[str, Any]]:
    """Items linked in at least three languages, most linked first, then by id."""
    entries = []
    for item in items:
        titles = {
            language: item.sitelinks[f"{language}wiki"]
            for language in counts
            if counts[language].get(item.sitelinks.get(f"{language}wiki", ""))
        }
        if len(titles) >= MINIMUM_LANGUAGES:
            total = sum(counts[language][title] for language, title in titles.items())
            entries.append(
                {"qid": item.qid, "count": total, "languages": len(titles), "titles": titles}
            )
    return sorted(entries, key=lambda entry: (-entry["count"], entry["qid"]))


def _article(page: Page) -> dict[str, Any]:
    return {
        "page_id": page.page_id,
        "title": page.title,
        "paragraphs": [
            {"text": paragraph.text, "links": paragraph.links} for paragraph in page.paragraphs
        ],
    }


def write_lines(path: Path, objects: Any) -> None:
    """Write objects as JSON lines."""
    path.write_bytes(b"".join(orjson.dumps(value) + b"\n" for value in objects))
