"""What the extractor must know about a wiki: namespaces, prefixes, redirect words, link trails.

The facts of the 24 Wikipedias, and of the Serbian one, are in ``data/wikis.json``. They were taken
from the wikis' own ``siteinfo`` answers (namespaces, aliases, redirect words, interwiki prefixes;
2023) and from the message files of MediaWiki 1.32 (link trails, Arabic link prefix), then merged:
names equal to the English ones that work everywhere are listed once under
``canonical_namespaces``, redirect words are without their ``#``, and the interwiki prefixes are
split into language codes (``languages``: their links stand in the margin of a page) and other
projects (``interwiki``). One trail differs from its source: the Hindi one has a range there that,
by a slip, spans half of Unicode; the Devanagari letters it means are listed instead. The facts of
Serbian, and how variants fall back on each other, are from the message files and language
converters of MediaWiki.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from mluke_core.corpus.siteinfo import SiteInfo
from mluke_core.corpus.variants import Variants

log = logging.getLogger("mluke")

MEDIA, FILE, CATEGORY, TEMPLATE = -2, 6, 14, 10
DEFAULT_TRAIL = "a-z"


@dataclass(frozen=True)
class Wiki:
    """One Wikipedia's rules of titles and links."""

    language: str
    namespaces: dict[str, int]
    """Lower-cased name (local, alias or English, with spaces) to number."""
    canonical: dict[int, str]
    """English name by number, for namespaces that have one on every wiki."""
    languages: frozenset[str]
    """Prefixes of other Wikipedias: such a link stands in the margin, not in the text."""
    interwiki: frozenset[str]
    """Prefixes of other projects."""
    redirects: tuple[str, ...]
    """Words that make a page a redirect, without ``#``."""
    trail: str
    """Characters that extend a link behind its brackets, as the inside of a regular expression's
    character class; empty: none do."""
    prefix: str
    """The same for characters before the brackets (Arabic)."""
    variant_rules: Variants | None
    """How rules of script variants (``-{…}-``) are read; None: the wiki has none."""
    block_images: frozenset[str]
    """Options of a picture that take it out of its line (``thumb``, ``right``), local and English:
    what stands before and behind such a picture are two paragraphs."""
    first_letter: bool
    """Whether titles begin with a capital."""
    words: str
    """How words are counted: ``spaces`` (runs between spaces) or ``characters`` (scripts that
    write no spaces: every character but spaces)."""

    def with_english_names(self) -> Wiki:
        """The same rules, with namespaces known by their English names alone."""
        names = {name.lower(): number for number, name in self.canonical.items()}
        names["image"] = FILE
        return replace(self, namespaces=names)


@cache
def _facts() -> dict[str, Any]:
    text = resources.files("mluke_core.corpus").joinpath("data/wikis.json").read_text("utf-8")
    return json.loads(text)


def known_languages() -> list[str]:
    """Codes of the languages the project has facts for, sorted."""
    return sorted(_facts()["wikis"])


def load_wiki(language: str, siteinfo: SiteInfo | None = None) -> Wiki:
    """The rules of a language's Wikipedia: the project's facts, completed by the dump's header.

    A language without facts works from the header alone, with a warning: local aliases of
    namespaces, redirect words other than ``#REDIRECT`` and link trails beyond a-z are then unknown.

    >>> load_wiki("de").namespaces["datei"], load_wiki("de").redirects[0]
    (6, 'WEITERLEITUNG')
    """
    facts = _facts()
    entry = facts["wikis"].get(language)
    if entry is None:
        _warn_unknown(language)
        entry = {"namespaces": {}, "redirects": ["REDIRECT"], "trail": DEFAULT_TRAIL}
    namespaces: dict[str, int] = {}
    tables = [facts["canonical_namespaces"], entry["namespaces"]]
    for table in tables:
        for number, names in table.items():
            for name in names:
                namespaces[name.lower()] = int(number)
    if siteinfo:
        for key, name in siteinfo.namespaces.items():
            if key != 0 and name:
                namespaces[name.replace("_", " ").lower()] = key
    return Wiki(
        language=language,
        namespaces=namespaces,
        canonical={int(k): names[0] for k, names in facts["canonical_namespaces"].items()},
        languages=frozenset(facts["languages"]) | frozenset(facts["wikis"]),
        interwiki=frozenset(facts["interwiki"]),
        redirects=tuple(entry["redirects"]),
        trail=entry["trail"],
        prefix=entry.get("prefix", ""),
        variant_rules=_variants(entry.get("variants")),
        block_images=frozenset(facts["block_images"]) | frozenset(entry.get("block_images", ())),
        first_letter=siteinfo is None or siteinfo.case != "case-sensitive",
        words=entry.get("words", "spaces"),
    )


def _variants(entry: dict[str, Any] | None) -> Variants | None:
    if entry is None:
        return None
    fallbacks = {code: tuple(others) for code, others in entry["fallbacks"].items()}
    return Variants(entry["wanted"], fallbacks, entry["names"])


@cache
def _warn_unknown(language: str) -> None:
    log.warning(
        "no facts about the Wikipedia '%s' (%s are known): namespaces come from the dump's header "
        "alone, link trails are a-z, and only #REDIRECT makes a redirect where there is no "
        "<redirect> tag. Add the language to mluke_core/corpus/data/wikis.json to refine this.",
        language,
        ", ".join(known_languages()),
    )
