"""First third of the wikitext extractor: take away what carries no running text.

Comments, ``<nowiki>`` (its content is kept, protected), elements such as ``<ref>`` and ``<math>``,
templates and tables go; what remains is paragraphs, lists, headings and links for
:mod:`mluke_core.corpus.brackets` and :mod:`mluke_core.corpus.wikitext`.

Each pass is one regular expression with possessive quantifiers over the whole page, which runs at
C speed. Such an expression sees bounded nesting and length only; what is larger, unclosed or
hostile is left to a linear pass in Python behind it. No pass looks twice for a closing tag that
does not exist, so the time for a page grows with its length alone. Whether a pass is needed is
asked by :func:`mluke_core.corpus.expressions.holds_pair`, for ``in`` reads the whole page.
"""

from __future__ import annotations

import re
from functools import cache

from mluke_core.corpus.characters import decode_entities
from mluke_core.corpus.expressions import NO_CHARACTER, any_name, holds_pair
from mluke_core.corpus.inline import split_lines
from mluke_core.corpus.parameters import show_parameters
from mluke_core.corpus.templates import SEPARATOR, TextTemplates
from mluke_core.corpus.variants import Variants

# XML allows none of these control characters, so they are free to stand for markup characters
# that are shown as they are, and for lines that held nothing but comments.
_PROTECTED_CHARACTERS = "[]{}|'=*#:;<>&_!-/"
_STAND_INS = "\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x01\x02\x03\x04"
_COMMENT_LINE = "\x05"
_PROTECT = str.maketrans(
    dict(zip(_PROTECTED_CHARACTERS, _STAND_INS, strict=True)) | {"\n": " ", "\t": " "}
)
_SHOWN = dict(zip(_STAND_INS, _PROTECTED_CHARACTERS, strict=True))
_STAND_IN = re.compile("[\x01-\x04\x0e-\x1b]")

# Elements whose content is no running text: notes, formulas, code, pictures, data, and text that
# shows only where the page is transcluded. <rt> and <rp> are the reading aids of <ruby>.
DROPPED_ELEMENTS = (
    *("ref", "math", "chem", "ce", "gallery", "timeline", "score", "syntaxhighlight", "source"),
    *("pre", "imagemap", "templatestyles", "graph", "hiero", "mapframe", "maplink", "inputbox"),
    *("categorytree", "indicator", "references", "templatedata", "includeonly", "rt", "rtc", "rp"),
    *("style", "script", "dynamicpagelist", "charinsert", "listing", "phonos", "lqtpage", "rss"),
    "section",
)
_NOWIKI = any_name(["nowiki"])
_ELEMENTS = any_name([*DROPPED_ELEMENTS, "nowiki"])
_COMMENT = r"!--[^-]*+(?:-(?!->)[^-]*+)*+(?:-->|\Z)"
# How many other tags the fast expressions look across for a closing tag.
_NEAR = 40
# One pass from left to right: what begins first hides what begins inside it.
_ANGLES = re.compile(
    rf"<(?:({any_name(DROPPED_ELEMENTS)})(?=[\s/>])[^<>{NO_CHARACTER}]*+"  # 1
    rf"(?:(?<=/)>|>(?:[^<]*+(?:<(?!/(?i:\1)[\s>])[^<]*+){{0,{_NEAR}}}+)</(?i:\1)\s*+>)"
    r"(?:(?=[^\W_]|[\['])())?+"  # 2
    rf"|({_COMMENT})(?:[ \t]*+<{_COMMENT})*+(?:[ \t]++(?=\n|\Z))?+"  # 3
    rf"|({_NOWIKI})(?=[\s/>])[^<>]*+(?:(?<=/)>|>"  # 4, its content 5
    rf"((?:[^<]*+(?:<(?!/{_NOWIKI})[^<]*+){{0,{_NEAR}}}+))</{_NOWIKI}\s*+>)"
    rf"|({any_name(['table'])})(?=[\s>])"  # 6
    rf"|/?+{any_name(['noinclude', 'onlyinclude'])}\s*+/?+>"
    rf"|({_ELEMENTS})(?=[\s/>]))"  # 7: its end is far away or missing
)
_COMMENT_LINES = re.compile(rf"\n[ \t]*+{_COMMENT_LINE}(?=\n)")
_ELEMENT_GROUP, _JOINING_GROUP, _COMMENT_GROUP = 1, 2, 3
_CONTENT_GROUP, _TABLE_GROUP, _LONG_GROUP = 5, 6, 7
_IN_TAG = re.compile(r"<[a-zA-Z][^<>]*+\Z")
_LONGEST_TAG = 500
_OPENERS = re.compile(rf"<({_ELEMENTS})(?=[\s/>])[^<>]*+>")


@cache
def _closer(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{any_name([name])}\s*+>")


_BRACES = re.compile(r"\{\{|\}\}")
# A table with no table inside. It begins with a line feed, so that a page full of "{|" within lines
# is passed over once and not once for each of them.
_INNERMOST_TABLE = re.compile(
    r"\n[ \t:*#;]*+\{\|[^\n]*+(?:\n(?![ \t:*#;]*+(?:\{\||\|\}))[^\n]*+)*+\n[ \t:*#;]*+\|\}"
)
_TABLE_PASSES = 6
_TABLE_TOKENS = re.compile(r"\{\||\|\}|<table(?=[\s>])|</table\s*+>", re.IGNORECASE)


class Reducer:
    """Removes comments, dropped elements, templates and tables from a page's wikitext.

    Args:
        templates: the templates that carry text.
        variants: how rules of script variants (``-{…}-``) are read; None: there are none.
    """

    def __init__(self, templates: TextTemplates, variants: Variants | None = None) -> None:
        self._templates = templates
        self._variants = variants
        self._html_table = self._comment_lines = self._long_elements = self._protected = False

    def __call__(self, text: str) -> tuple[str, bool]:
        """The reduced text, and whether it may hold stand-ins (see :func:`protect`).

        ``text`` must hold no control characters; what comes out of an XML parser has none, other
        text goes through :func:`drop_controls` first.
        """
        self._html_table = self._comment_lines = self._long_elements = self._protected = False
        if "<" in text:
            text = _ANGLES.sub(self._replace_angle, text)
            if self._comment_lines:
                text = _COMMENT_LINES.sub("", "\n" + text)[1:]
            if self._long_elements:
                text = _drop_long_elements(text)
                self._protected = True
        if "{" in text:
            text = self._drop_templates(text)
        elif "}" in text:
            text = text.replace("}}", "")
        if self._html_table or holds_pair(text, "{|"):
            text = _drop_tables(text, self._html_table)
        text = split_lines("\n" + text)[1:]
        if self._variants is not None and holds_pair(text, "-{"):
            text = self._variants.convert(text)
        return text, self._protected

    def _replace_angle(self, match: re.Match[str]) -> str:
        group = match.lastindex
        if group == _ELEMENT_GROUP or group is None:
            return ""
        if group == _JOINING_GROUP:
            return SEPARATOR
        text = match.string
        start, end = match.span()
        if group == _COMMENT_GROUP:
            if text.startswith("\n", end) and _starts_line(text, start, " \t"):
                self._comment_lines = True
                return _COMMENT_LINE
            return ""
        if group == _TABLE_GROUP:
            self._html_table = True
            return match.group()
        if group == _LONG_GROUP:
            self._long_elements = True
            return match.group()
        self._protected = True
        content = match.group(_CONTENT_GROUP) or ""
        if _IN_TAG.search(text, max(0, start - _LONGEST_TAG), start):
            return protect(decode_entities(content))
        return _protected(content)

    def _drop_templates(self, text: str) -> str:
        if "{{{" in text:
            text = show_parameters(text, protect("{{{"), protect("}}}"))
            self._protected = True
        text = self._templates.expand(text)
        if holds_pair(text, "{{") or holds_pair(text, "}}"):
            text = _drop_deep_templates(text)
        return text


def protect(text: str) -> str:
    """``text`` with its markup characters as stand-ins, so that no later pass sees markup there."""
    return text.translate(_PROTECT)


def shown(text: str) -> str:
    """``text`` with the characters that :func:`protect` hid."""
    return _STAND_IN.sub(lambda match: _SHOWN[match.group()], text)


def _protected(content: str) -> str:
    """What <nowiki> leaves: separated from a link in front of it and behind it."""
    return f"{SEPARATOR}{protect(decode_entities(content))}{SEPARATOR}"


def _drop_long_elements(text: str) -> str:
    """Drop elements with many tags inside; unclosed ones lose their tag alone, and that later."""
    kept: list[str] = []
    position = 0
    unclosed: set[str] = set()
    for match in _OPENERS.finditer(text):
        if match.start() < position:
            continue
        name = match.group(1).lower()
        if match.group().endswith("/>"):
            kept.append(text[position : match.start()] + SEPARATOR)
            position = match.end()
            continue
        if name in unclosed:
            continue
        closer = _closer(name).search(text, match.end())
        if closer is None:
            unclosed.add(name)
            continue
        kept.append(text[position : match.start()])
        inside = text[match.end() : closer.start()] if name == "nowiki" else ""
        kept.append(_protected(inside))
        position = closer.end()
    kept.append(text[position:])
    return "".join(kept)


def _drop_deep_templates(text: str) -> str:
    """Drop templates nested deeper than the expressions reach, and braces without a partner."""
    closes: dict[int, int] = {}
    stack: list[int] = []
    tokens = [(match.start(), match.group()) for match in _BRACES.finditer(text)]
    for start, token in tokens:
        if token == "{{":
            stack.append(start)
        elif stack:
            closes[stack.pop()] = start + 2
    kept: list[str] = []
    position = 0
    for start, _ in tokens:
        if start < position:
            continue
        kept.append(text[position:start])
        position = closes.get(start, start + 2)
    kept.append(text[position:])
    return "".join(kept)


def _starts_line(text: str, position: int, blanks: str = " \t:*#;") -> bool:
    """Whether only ``blanks`` stand before ``position`` in its line."""
    while position and text[position - 1] in blanks:
        position -= 1
    return position == 0 or text[position - 1] == "\n"


def _drop_tables(text: str, html: bool) -> str:
    """Drop tables; a table is a block: what stands before and behind it are two paragraphs."""
    if not html:
        text = "\n" + text
        for _ in range(_TABLE_PASSES):
            text, count = _INNERMOST_TABLE.subn("\n\n", text)
            if not count:
                break
            if not holds_pair(text, "{|"):
                return text
    return _drop_other_tables(text)


def _drop_other_tables(text: str) -> str:
    """Drop tables in HTML too, and unclosed ones up to the next heading or the page's end."""
    closes: dict[int, int] = {}
    openers: list[int] = []
    stack: list[tuple[int, bool]] = []
    for match in _TABLE_TOKENS.finditer(text):
        token = match.group()
        start = match.start()
        if token == "{|" or token[1] in "tT":
            is_wiki = token == "{|"
            if is_wiki and not _starts_line(text, start):
                continue
            openers.append(start)
            stack.append((start, is_wiki))
        else:
            is_wiki = token == "|}"
            if is_wiki and not _starts_line(text, start):
                continue
            if stack and stack[-1][1] == is_wiki:
                closes[stack.pop()[0]] = match.end()
    kept: list[str] = []
    position = 0
    for start in openers:
        if start < position:
            continue
        kept.append(text[position:start] + "\n\n")
        if start in closes:
            position = closes[start]
        else:
            heading = text.find("\n==", start)
            position = heading if heading >= 0 else len(text)
    kept.append(text[position:])
    return "".join(kept)
