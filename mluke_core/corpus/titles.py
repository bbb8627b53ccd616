"""Titles as MediaWiki sees them: what a link's target names, in its normal form."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple
from urllib.parse import unquote

from mluke_core.corpus.characters import decode_entities
from mluke_core.corpus.remembered import Remembered
from mluke_core.corpus.wikis import CATEGORY, FILE, MEDIA, Wiki

ARTICLE = "article"
MAXIMUM_TITLE_BYTES = 255
# Characters that take no more bytes, whatever they are.
LONGEST_PLAIN_TITLE = MAXIMUM_TITLE_BYTES // 4
CACHE_SIZE = 100_000
# Longer ones are hardly ever titles, and some are as long as their page.
_REMEMBERED_LENGTH = 300

_SPACE = re.compile("[ _\xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\t\n]+")
_DIRECTION_MARKS = re.compile("[\u200e\u200f\u202a-\u202e]")
_ILLEGAL = re.compile("[\x00-\x1f\x7f<>\\[\\]{}|\ufffd]|%[0-9A-Fa-f]{2}|&#?\\w+;|~~~")
_RELATIVE = re.compile(r"\.{1,2}(?:/.*)?|.*/\.{1,2}(?:/.*)?")
# Nearly all titles: one word or several, in which nothing is to be decoded, left out or refused.
_WORD = (
    r"[^%&:#_/<>\[\]{}|~\ufffd\x00-\x20\x7f-\xa0"
    r"\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f\u3000]++"
)
PLAIN_TITLE = rf"(?=\w){_WORD}(?: {_WORD})*+"
_PLAIN = re.compile(PLAIN_TITLE)
# Languages whose 'i' is upper-cased to a dotted capital by MediaWiki.
_DOTTED_I = frozenset({"tr", "az", "kk", "kaa"})


class Target(NamedTuple):
    """What a link's target is."""

    kind: str
    """``article``, or why it is none: ``file``, ``category``, ``namespace``, ``interlanguage``,
    ``interwiki``, ``section`` (of the same page) or ``invalid``."""
    title: str
    """Normal form; for another namespace with its English name in front where it has one."""
    fragment: str
    """Section behind ``#``, empty when there is none."""
    hidden: bool
    """Whether such a link shows nothing in the text (files, categories, interlanguage links)."""


INVALID = Target("invalid", "", "", False)


def upper_first(title: str, language: str) -> str:
    """``title`` with its first letter upper-cased the way MediaWiki does.

    One letter stays one letter: ``ß`` and ligatures stay, letters with a title form of their own
    take it when the capital would be two characters. Georgian has no capitals in titles.

    >>> upper_first("istanbul", "tr"), upper_first("istanbul", "en"), upper_first("ß", "de")
    ('İstanbul', 'Istanbul', 'ß')
    """
    first = title[:1]
    if first.isupper():
        return title
    if first == "i" and language in _DOTTED_I:
        return "İ" + title[1:]
    if "\u10d0" <= first <= "\u10ff":
        return title
    upper = first.upper()
    if len(upper) != 1:
        upper = first.title()
        if len(upper) != 1:
            return title
    return upper + title[1:] if upper != first else title


class Titles:
    """Parses link targets for one wiki; answers are remembered.

    >>> from mluke_core.corpus.wikis import load_wiki
    >>> titles = Titles(load_wiki("en"))
    >>> titles.parse("new_York#History")
    Target(kind='article', title='New York', fragment='History', hidden=False)
    >>> titles.parse("Image:a.jpg").kind, titles.parse(":Image:a.jpg").hidden
    ('file', False)
    """

    def __init__(self, wiki: Wiki) -> None:
        self.wiki = wiki
        self._targets = Remembered(self._parse, CACHE_SIZE, _REMEMBERED_LENGTH)

    def parse(self, raw: str) -> Target:
        """What the text before ``|`` or ``]]`` of a link names."""
        return self._targets[raw]

    def plain(self, raw: str) -> str:
        """Normal form of what matches :data:`PLAIN_TITLE` and is no longer than a plain title."""
        return upper_first(raw, self.wiki.language) if self.wiki.first_letter else raw

    def article(self, raw: str) -> str:
        """Normal form of an article's title; empty when ``raw`` names no article."""
        target = self.parse(raw)
        return target.title if target.kind == ARTICLE else ""

    def namespace(self, title: str) -> int:
        """Number of the namespace a page's full title is in (0: articles)."""
        prefix, colon, rest = title.partition(":")
        if not colon or not rest:
            return 0
        return self.wiki.namespaces.get(_SPACE.sub(" ", prefix).strip().lower(), 0)

    def _parse(self, raw: str) -> Target:
        wiki = self.wiki
        if len(raw) <= LONGEST_PLAIN_TITLE and _PLAIN.fullmatch(raw):
            return Target(ARTICLE, self.plain(raw), "", False)
        text = raw
        changed = False
        if "%" in text:
            try:
                text = unquote(text, errors="strict")
            except UnicodeDecodeError:
                return INVALID
            changed = True
        if "&" in text:
            text = decode_entities(text)
            changed = True
        if not text.isascii():
            text = _DIRECTION_MARKS.sub("", text)
            if changed:
                text = unicodedata.normalize("NFC", text)
        text = _SPACE.sub(" ", text).strip(" ")
        escaped = text.startswith(":")
        if escaped:
            text = text[1:].lstrip(" ")
        text, _, fragment = text.partition("#")
        text = text.rstrip(" ")
        fragment = fragment.strip(" ")
        if not text:
            return Target("section", "", fragment, False) if fragment else INVALID
        kind, hidden, prefix = ARTICLE, False, ""
        while ":" in text:
            before, _, rest = text.partition(":")
            name = before.strip(" ").lower()
            rest = rest.lstrip(" ")
            number = wiki.namespaces.get(name)
            if number is not None:
                if not rest:
                    return INVALID
                kind = {MEDIA: "file", FILE: "file", CATEGORY: "category"}.get(number, "namespace")
                # [[Media:…]] is a plain link to the file itself: its label shows.
                hidden = not escaped and number in (FILE, CATEGORY)
                prefix = wiki.canonical.get(number, before.strip(" ")) + ":"
                text = rest
            elif name == wiki.language:
                # Behind the wiki's own prefix every link is one that shows.
                text = rest
                escaped = True
                if not text:  # [[en:]] is the main page, whatever its title
                    return Target("interwiki", "", fragment, False)
                continue
            elif (name in wiki.languages or name in wiki.interwiki) and _ILLEGAL.search(rest):
                return INVALID
            elif name in wiki.languages:
                return Target("interlanguage", text, fragment, not escaped)
            elif name in wiki.interwiki:
                return Target("interwiki", text, fragment, False)
            break
        if _ILLEGAL.search(text) or text.startswith(":"):
            return INVALID
        if "." in text and _RELATIVE.fullmatch(text):
            return INVALID
        if len(text) * 4 > MAXIMUM_TITLE_BYTES and len(text.encode()) > MAXIMUM_TITLE_BYTES:
            return INVALID
        if wiki.first_letter:
            text = upper_first(text, wiki.language)
        return Target(kind, prefix + text, fragment, hidden)
