"""First half of the wikitext extractor: take away what carries no running text.

Comments, ``<nowiki>`` (its content is kept, protected), elements such as ``<ref>`` and ``<math>``,
templates and tables go; what remains is paragraphs, lists, headings and links for
:mod:`mluke_core.corpus.wikitext` to scan.

Each pass is one regular expression with possessive quantifiers over the whole page, which runs at
C speed. Such an expression sees bounded nesting and length only; what is larger, unclosed or
hostile is left to a linear pass in Python behind it. No pass looks twice for a closing tag that
does not exist, so the time for a page grows with its length alone.
"""

from __future__ import annotations

import re
from html import unescape

from mluke_core.corpus.characters import drop_controls
from mluke_core.corpus.templates import TextTemplates

# XML allows none of these control characters, so they are free to stand for markup characters
# that <nowiki> protects and for places where a comment was.
_PROTECTED_CHARACTERS = "[]{}|'=*#:;<>&_!-/"
_STAND_INS = "\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x01\x02\x03\x04"
COMMENT_MARK = "\x05"
# Left where an element was: letters behind it do not belong to a link in front of it.
_ELEMENT_MARK = "\x06"
_SEPARATOR = "<wbr>"
PROTECT = str.maketrans(
    dict(zip(_PROTECTED_CHARACTERS, _STAND_INS, strict=True)) | {"\n": " ", "\t": " "}
)
UNPROTECT = str.maketrans(dict(zip(_STAND_INS, _PROTECTED_CHARACTERS, strict=True)))

# Elements whose content is no running text: notes, formulas, code, pictures, data, and text that
# shows only where the page is transcluded. <rt> and <rp> are the reading aids of <ruby>.
DROPPED_ELEMENTS = (
    "ref|math|chem|ce|gallery|timeline|score|syntaxhighlight|source|pre|imagemap|templatestyles|"
    "graph|hiero|mapframe|maplink|inputbox|categorytree|indicator|references|templatedata|"
    "includeonly|rt|rp|style|script|dynamicpagelist|charinsert|listing|phonos|"
    "lqtpage|rss|section"
)
_COMMENT = r"<!--[^-]*+(?:-(?!->)[^-]*+)*+(?:-->|\Z)"
# How many other tags the fast expressions look across for a closing tag.
_NEAR = 40
_COMMENTS = re.compile(_COMMENT)
_COMMENT_LINES = re.compile(rf"\n[ \t]*+{COMMENT_MARK}(?:[ \t]*+{COMMENT_MARK})*+[ \t]*+(?=\n|\Z)")
_COMMENT_OR_NOWIKI = re.compile(
    rf"{_COMMENT}|<nowiki(?=[\s/>])[^<>]*+(?:(?<=/)>|>"
    rf"((?:[^<]*+(?:<(?!/nowiki)[^<]*+){{0,{_NEAR}}}+))</nowiki\s*>)",
    re.IGNORECASE,
)
_ELEMENTS = re.compile(
    rf"<(?:({DROPPED_ELEMENTS})(?=[\s/>])[^<>]*+"
    rf"(?:(?<=/)>|>(?:[^<]*+(?:<(?!/\1[\s>])[^<]*+){{0,{_NEAR}}}+)</\1\s*+>))",
    re.IGNORECASE,
)
_OPENERS = re.compile(rf"<({DROPPED_ELEMENTS}|nowiki)(?=[\s/>])[^<>]*+>", re.IGNORECASE)
_CLOSERS = {
    name: re.compile(rf"</{name}\s*+>", re.IGNORECASE)
    for name in [*DROPPED_ELEMENTS.split("|"), "nowiki"]
}


def _balanced(depth: int, condition: str = "") -> str:
    inner = r"[^{}]++|\{(?!\{)|\}(?!\})"
    if depth:
        inner += "|" + _balanced(depth - 1)
    return r"\{\{" + condition + "(?:" + inner + r")*+\}\}"


_TEMPLATE_DEPTH = 4
_TEMPLATE_PASSES = 6
_BRACES = re.compile(r"\{\{|\}\}")
_TABLE_TOKENS = re.compile(r"\{\||\|\}|<table(?=[\s>])|</table\s*+>", re.IGNORECASE)
_VARIANT_RULE = re.compile(r"-\{([^{}]*+)\}-")
_VARIANT_FLAGS = re.compile(r"([A-Za-z+\-;\s]*?)\|(.*)", re.DOTALL)
_VARIANT_PASSES = 4


class Reducer:
    """Removes comments, dropped elements, templates and tables from a page's wikitext.

    Args:
        templates: the templates that carry text.
        variants: script variants in order of preference, for ``-{…}-``; empty: not used.
    """

    def __init__(self, templates: TextTemplates, variants: tuple[str, ...] = ()) -> None:
        self._templates = templates
        self._variants = variants
        # A template that carries text is not dropped with its kind, but one inside an infobox is.
        self._dropped = re.compile(
            _balanced(_TEMPLATE_DEPTH, rf"(?![ \n_]*+(?:{templates.names})[ \n_]*+[|}}])"),
            re.IGNORECASE,
        )

    def __call__(self, text: str) -> tuple[str, bool]:
        """The reduced text, and whether it holds protected characters (see :data:`UNPROTECT`).

        ``text`` must hold no control characters; what comes out of an XML parser has none, other
        text goes through :func:`drop_controls` first.
        """
        protected = False
        if "<" in text:
            protected = "owiki" in text or "OWIKI" in text
            if protected:
                text = _COMMENT_OR_NOWIKI.sub(_protect, text)
            elif "<!--" in text:
                text = _COMMENTS.sub(COMMENT_MARK, text)
            if COMMENT_MARK in text:
                text = _COMMENT_LINES.sub("", "\n" + text).replace(COMMENT_MARK, "")
            text = _ELEMENTS.sub(_ELEMENT_MARK, text)
            if _OPENERS.search(text):
                text = _drop_long_elements(text)
            if _ELEMENT_MARK in text:
                text = text.replace("]]" + _ELEMENT_MARK, "]]" + _SEPARATOR)
                text = text.replace(_ELEMENT_MARK + "[[", _SEPARATOR + "[[")
                text = text.replace(_ELEMENT_MARK, "")
        if "{{" in text:
            text = self._drop_templates(text)
        if "{|" in text or "<table" in text or "<TABLE" in text:
            text = _drop_tables(text)
        if self._variants and "-{" in text:
            text = self._choose_variants(text)
        return text, protected

    def _drop_templates(self, text: str) -> str:
        text = text.replace("{{!}}", "|").replace("{{=}}", "=")
        for _ in range(_TEMPLATE_PASSES):
            text, count = self._dropped.subn("", text)
            if not count or "{{" not in text:
                break
        if "{{" in text:
            text = self._templates.expand(text)
        if "{{" in text or "}}" in text:
            text = _drop_deep_templates(text)
        return text

    def _choose_variants(self, text: str) -> str:
        for _ in range(_VARIANT_PASSES):
            text, count = _VARIANT_RULE.subn(self._variant, text)
            if not count:
                break
        return text.replace("-{", "").replace("}-", "")

    def _variant(self, match: re.Match[str]) -> str:
        """Text of one ``-{flags|rules}-``: the rule of the most preferred variant."""
        body: str = match.group(1)
        flags: set[str] = set()
        split = _VARIANT_FLAGS.fullmatch(body)
        if split:
            flags = {flag.strip() for flag in split.group(1).split(";")}
            body = split.group(2)
        if flags & {"H", "T", "-"}:
            return ""
        if "R" in flags or ":" not in body:
            return body
        rules: dict[str, str] = {}
        for rule in body.split(";"):
            code, colon, value = rule.partition(":")
            # A one-way rule is written a=>code:b.
            code = code.rpartition("=>")[2].strip().lower()
            if colon and code in self._variants:
                rules.setdefault(code, value.strip())
        if not rules:
            return body
        return next(rules[code] for code in self._variants if code in rules)


def _protect(match: re.Match[str]) -> str:
    content = match.group(1)
    if content is None:
        return COMMENT_MARK if match.group().startswith("<!--") else _ELEMENT_MARK
    return _protected(content)


def _protected(content: str) -> str:
    return f"{_ELEMENT_MARK}{drop_controls(unescape(content)).translate(PROTECT)}{_ELEMENT_MARK}"


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
            kept.append(text[position : match.start()] + _ELEMENT_MARK)
            position = match.end()
            continue
        if name in unclosed:
            continue
        closer = _CLOSERS[name].search(text, match.end())
        if closer is None:
            unclosed.add(name)
            continue
        kept.append(text[position : match.start()])
        inside = text[match.end() : closer.start()] if name == "nowiki" else ""
        kept.append(_protected(inside) if inside else _ELEMENT_MARK)
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


def _starts_line(text: str, position: int) -> bool:
    """Whether only spaces and indentation stand before ``position`` in its line."""
    while position and text[position - 1] in " \t:*#;":
        position -= 1
    return position == 0 or text[position - 1] == "\n"


def _drop_tables(text: str) -> str:
    """Drop tables; one that is never closed ends before the next heading (or with the page)."""
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
        # A table is a block: what stands before and behind it are two paragraphs.
        kept.append(text[position:start] + "\n\n")
        if start in closes:
            position = closes[start]
        else:
            heading = text.find("\n==", start)
            position = heading if heading >= 0 else len(text)
    kept.append(text[position:])
    return "".join(kept)
