"""Which parser tests say something about text and links, and the settings they run under.

A test is left out by one of the rules below, or by its name with a reason of its own in
``fidelity_exclusions.json``; never because the extractor fails it. What our documented rules drop
(tables, captions, references) is taken away from the expected HTML instead.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from _parser_tests import ParserTest

from mluke_core.corpus.siteinfo import SiteInfo
from mluke_core.corpus.wikis import Wiki, known_languages, load_wiki

EXCLUSIONS = Path(__file__).with_name("fidelity_exclusions.json")
DEFAULT_TITLE = "Parser test"

# The interwiki table of MediaWiki's ParserTestRunner; `mi` and `local` name the wiki itself.
_LANGUAGES = frozenset({"en", "es", "fr", "mul", "ru", "zh"})
_INTERWIKI = frozenset({"gerrit", "meatball", "memoryalpha", "stats", "wikinvest", "wikipedia"})
_OWN_PREFIXES = ("local", "mi")
_NAMESPACES = {100: "MemoryAlpha", 101: "MemoryAlpha talk"}
_METADATA = ("cat", "ill", "showflags", "showindicators", "lastsavedrevision")
_OTHER_TRANSFORMS = ("pst", "msg", "comment", "preload", "section", "replace")
_EXTENSION_TAGS = re.compile(
    r"<(?:tag|t\xe5g|statictag|spantag|asidetag|pwraptest|sealtag|divtag|divtagpf|rawhtml|html|"
    r"styletag|embedtag|translate|tvar)(?=[\s/>])",
    re.IGNORECASE,
)
_VARIANT_MARKUP = re.compile(r"-\{.*?\}-", re.DOTALL)
_NO_WORDS = re.compile(r"<[^<>]*>|https?://\S+|&#?\w+;")
_CONVERTED = {
    "sr-ec": re.compile("[A-Za-zšđžčćŠĐŽČĆ]"),
    "sr-el": re.compile("[\u0400-\u04ff]"),
}
_PAGE_RULES = re.compile(r"-\{\s*(?:[A-Z]\s*;\s*)*(?:[AH]|-)\s*(?:;[^|{}]*)?\|")
_PROTECTED = re.compile(r"<!--.*?(?:-->|\Z)|<nowiki>.*?</nowiki>", re.DOTALL | re.IGNORECASE)
_PRE_TAG = re.compile(r"<pre(?=[\s/>])", re.IGNORECASE)
_BRACES = re.compile(r"\{\{(?!!\}\}|=\}\})")

_GROUPS = (
    ("redirects", re.compile(r"\s*#redirect\b", re.IGNORECASE)),
    ("variants", re.compile(r"-\{")),
    ("files", re.compile(r"\[\[\s*(?:file|image|media)\s*:", re.IGNORECASE)),
    ("categories", re.compile(r"\[\[\s*:?category\s*:", re.IGNORECASE)),
    (
        "links",
        re.compile(
            r"\[\[(?!\s*(?:file|image|category)\s*:)|\[(?:https?:)?//|https?://",
            re.IGNORECASE,
        ),
    ),
    ("lists", re.compile(r"^[*#:;]", re.MULTILINE)),
    ("quotes", re.compile(r"''")),
    ("entities", re.compile(r"&#?\w+;")),
    ("headings", re.compile(r"^=.*=", re.MULTILINE)),
    ("nowiki", re.compile(r"<nowiki", re.IGNORECASE)),
    ("tables", re.compile(r"^\s*\{\||<table", re.MULTILINE | re.IGNORECASE)),
)


def groups(test: ParserTest) -> list[str]:
    """What a test is about; ``other`` when it is none of the named ones."""
    text = test.wikitext or ""
    found = [name for name, pattern in _GROUPS if pattern.search(text)]
    if "variant" in test.options and "variants" not in found:
        found.append("variants")
    return found or ["other"]


def expected_html(test: ParserTest) -> list[str]:
    """The HTML of MediaWiki's two parsers: the older one, as tidied, and Parsoid."""
    sections = test.sections
    legacy = next(
        (
            sections[name]
            for name in ("html/php+tidy", "html/php", "html+tidy", "html/*", "html")
            if name in sections
        ),
        None,
    )
    parsoid = next(
        (
            sections[name]
            for name in ("html/parsoid+langconv", "html/parsoid", "html/*", "html+tidy", "html")
            if name in sections
        ),
        None,
    )
    if any(name in test.options for name in _METADATA):
        legacy = None  # and what holds for both parsers is metadata as well
        parsoid = sections.get("html/parsoid")
    elif legacy is not None and "showtitle" in test.options:
        legacy = legacy.partition("\n")[2]  # the first line is the title
    if parsoid is not None and "mw:LanguageVariant" in parsoid:
        parsoid = None  # what to show is left to a later step
    return [source for source in (legacy, parsoid) if source is not None]


def exclusion(test: ParserTest, named: dict[str, str]) -> str | None:
    """Why a test is left out; None for one that applies."""
    options = test.options
    if "disabled" in options:
        return "disabled upstream"
    parsoid = options.get("parsoid")
    modes = parsoid.get("modes") if isinstance(parsoid, dict) else parsoid
    modes = [modes] if isinstance(modes, str) else modes
    if isinstance(modes, list) and "wt2html" not in modes:
        return "tests the way from HTML to wikitext only"
    for name in _OTHER_TRANSFORMS:
        if name in options:
            return "tests another transform than wikitext to page (pst, msg, comment, section, …)"
    if not expected_html(test):
        if any(name in options for name in _METADATA):
            return "shows metadata of the page in place of its text (cat, ill, showflags, …)"
        return "has no expected HTML of wikitext"
    text = _PROTECTED.sub("", test.wikitext or "")
    if _BRACES.search(text):
        return "needs templates, parser functions or variables of the test wiki"
    if _EXTENSION_TAGS.search(text) or "styletag" in options or "wgrawhtml" in options:
        return "needs tags that the test program defines, or raw HTML"
    if "subpage" in options:
        return "subpages: articles of Wikipedia have none"
    if options.get("language", "en") not in known_languages():
        return "a language that the project has no facts for (link trail, namespaces)"
    if _converts_running_text(test):
        return "needs MediaWiki's tables that convert all running text to a script variant"
    if _PAGE_RULES.search(test.wikitext or "") and "variant" in options:
        return "adds conversion rules for the rest of the page (flags A, H, -)"
    if options.get("wginterwikimagic") == "false":
        return "a setting that no Wikipedia has"
    return named.get(test.key)


def _converts_running_text(test: ParserTest) -> bool:
    """Whether text outside ``-{…}-`` is shown in another script than it is written in."""
    text = test.wikitext or ""
    if "<langconvert" in text:
        return True
    letters = _CONVERTED.get(test.options.get("variant", ""))
    if letters is None:
        return False
    return bool(letters.search(_NO_WORDS.sub("", _VARIANT_MARKUP.sub("", text))))


def named_exclusions() -> dict[str, str]:
    """Reasons of the tests that are left out by name."""
    entries = json.loads(EXCLUSIONS.read_text("utf-8"))
    return {name: entry["reason"] for entry in entries for name in entry["tests"]}


def wiki_of(test: ParserTest) -> Wiki:
    """The rules of the wiki that a test runs on."""
    language = test.options.get("language", "en")
    wiki = load_wiki(language, SiteInfo(language=language, namespaces=_NAMESPACES))
    variant = test.options.get("variant", language)
    # Our wikis have one prefix of their own, their language's: here the one that the test uses.
    own = next((p for p in _OWN_PREFIXES if f"{p}:" in (test.wikitext or "")), _OWN_PREFIXES[0])
    return replace(
        wiki,
        language=language if language == "tr" else own,
        languages=_LANGUAGES,
        interwiki=_INTERWIKI,
        variant_rules=wiki.variant_rules and replace(wiki.variant_rules, wanted=variant),
    )


def title_of(test: ParserTest) -> str:
    """Title of the test's page."""
    return str(test.options.get("title", DEFAULT_TITLE)).replace("_", " ")


def count_pre_tags(test: ParserTest) -> int:
    """Number of ``<pre>`` tags in the wikitext."""
    return len(_PRE_TAG.findall(_PROTECTED.sub("", test.wikitext or "")))
