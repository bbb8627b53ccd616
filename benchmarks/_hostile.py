"""Pages made to be slow: markup that is never closed, nested without end, or nearly something.

Whoever edits a wiki can save such a page, and a run over 24 dumps meets all of them. Each name
below is one way to make a parser look at the same text again and again.
"""

from __future__ import annotations

from itertools import cycle, islice

# Repeated until the page is full: nothing of it is ever closed.
UNITS = {
    "links": "[[",
    "links with labels": "[[a|",
    "links with text": "[[a|b ",
    "links on lines": "[[a\n",
    "files": "[[File:a|",
    "file captions": "[[File:a|thumb|b [[c]] ",
    "categories": "[[Category:a|",
    "brackets": "[",
    "closing brackets": "]]",
    "closing then opening brackets": "]][[",
    "three brackets": "[[[a]",
    "triple closing brackets": "[[a|[b]]",
    "external links": "[http://a ",
    "external links without text": "[http://a",
    "external links with brackets": "[http://a [b] ",
    "protocol-relative links": "[//",
    "addresses": "http://",
    "templates": "{{",
    "templates with arguments": "{{a|b=",
    "templates with text": "{{lang|",
    "templates with text and links": "{{nowrap|[[a|",
    "templates in links": "[[a|{{b|",
    "braces": "{",
    "three braces": "{{{",
    "three braces with defaults": "{{{a|",
    "parameters": "{{{a|b}}}",
    "parameters with templates and links": "{{{a|{{b|[[c|d]]}}|{{{e}}}}}}",
    "closing braces": "}}",
    "braces with one closed": "{{a}",
    "tables": "\n{|",
    "table rows": "\n|-\n|",
    "table ends": "\n|}",
    "tables and rows": "\n{|\n|a||b",
    "indented tables": "\n:::{|",
    "HTML tables": "<table>",
    "HTML tables and headings": "<table>\n==a==\n",
    "notes": "<ref>",
    "named notes": "<ref name=a>",
    "notes that never end their tag": "<ref name=",
    "notes with brackets": "<ref>{{[[",
    "notes and galleries": "<ref <gallery>\n",
    "closing notes": "</ref>",
    "comments": "<!--",
    "comments nearly closed": "<!-- -- ->",
    "comment lines": "\n<!-- a -->",
    "nowiki": "<nowiki>",
    "nowiki and notes": "<nowiki><ref>",
    "pre": "<pre>",
    "math": "<math>{{",
    "tags": "<a <b",
    "unknown tags": "<x>",
    "open angles": "<",
    "two apostrophes": "''",
    "three apostrophes": "'''",
    "odd apostrophes": "'''a ''b",
    "apostrophes with links": "'''[[a]] ''",
    "apostrophes on lines": "''a\n",
    "bold marks on lines": "'''a''b'''''c\n",
    "headings": "\n== a ==",
    "headings nearly closed": "\n==a==b==",
    "equals signs": "=",
    "heading starts": "\n======",
    "links over headings": "[[a\n== b ==\n",
    "lists": "\n*#:;",
    "list signs": "*",
    "definitions": ";a:",
    "definitions with links": "\n;[[a:b]]:",
    "line feeds": "\n",
    "line feeds and spaces": "\n ",
    "spaces": " ",
    "odd spaces": " \u00a0\u3000",
    "variants": "-{",
    "variants with rules": "-{zh-hans:a;zh-hant:",
    "variants nearly closed": "-{a}",
    "variants with flags": "-{A|",
    "closing variants": "}-",
    "variants and templates": "-{{{",
    "entities": "&amp;",
    "entities never closed": "&",
    "long entities": "&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "number entities": "&#",
    "switches": "__X__",
    "switches never closed": "__A",
    "underscores": "_",
    "percent signs": "%20",
    "links with percent signs": "[[%41",
    "bars": "\n|",
    "rules": "\n----",
    "joiners": "\u200d",
    "Arabic prefixes": "\u0627\u0644[[",
    "combining marks": "\u0301",
    "magic words": "#REDIRECT [[",
    "alternating": "[[{{{|<ref><!--[http://a ''",
    "alternating with ends": "[[a{{b]]c}}",
}
# Opened to the depth that fills the page, then closed.
NESTED = {
    "nested links": ("[[a|", "]]"),
    "nested captions": ("[[File:a|", "]]"),
    "nested templates": ("{{a|", "}}"),
    "nested templates with text": ("{{lang|a|", "}}"),
    "nested tables": ("\n{|\n|", "\n|}"),
    "nested HTML tables": ("<table><tr><td>", "</td></tr></table>"),
    "nested notes": ("<ref>", "</ref>"),
    "nested variants": ("-{", "}-"),
    "nested divisions": ("<div>", "</div>"),
    "nested templates and links": ("{{nowrap|[[a|", "]]}}"),
    "nested parameters": ("{{{a|", "}}}"),
    "nested parameters without defaults": ("{{{", "}}}"),
    "nested parameters and templates": ("{{{a|[[b|{{lang|la|", "}}]]}}}"),
}
# Once, then plain text to the end of the page.
OPENINGS = ("[[", "[[File:a|", "{{", "{|", "<ref>", "<!--", "<nowiki>", "[http://a ", "-{", "<")


def hostile_pages(size: int) -> dict[str, str]:
    """Hostile wikitext by name, ``size`` characters each."""
    pages = {name: _filled(unit, size) for name, unit in UNITS.items()}
    for name, (opening, closing) in NESTED.items():
        depth = max((size - 1) // (len(opening) + len(closing)), 1)
        pages[name] = _exactly(opening * depth + "x" + closing * depth, size)
        pages[f"{name}, half closed"] = _exactly(
            opening * depth + "x" + closing * (depth // 2), size
        )
    for opening in OPENINGS:
        pages[f"one {opening.strip()}"] = _exactly(opening + "plain text " * (size // 11), size)
        lines = "a line of text\n" * (size // 15)
        pages[f"one {opening.strip()} above lines"] = _exactly(opening + lines, size)
    # Units of different lengths, so that no two neighbours of a page are alike for long.
    mixed = islice(cycle(UNITS.values()), size)
    pages["everything in turn"] = _exactly("".join(mixed)[:size], size)
    pages["everything with text"] = _exactly(
        "".join(f"{unit} word " for unit in islice(cycle(UNITS.values()), size // 6)), size
    )
    return pages


def _filled(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def _exactly(text: str, size: int) -> str:
    return (text + " x" * ((size - len(text)) // 2 + 1))[:size]
