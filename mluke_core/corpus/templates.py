"""Templates that carry running text, and what of them is text.

Templates are not expanded: most make boxes, notes and flags, and are dropped. A few wrap words of
a sentence; dropping those would leave holes, so their text is kept. Names are compared without
regard to case, and underscores are spaces.
"""

from __future__ import annotations

import re

# The first positional argument is the text: {{nowrap|text}}.
FIRST = (
    "nowrap",
    "nobr",
    "nobreak",
    "small",
    "smaller",
    "big",
    "larger",
    "em",
    "strong",
    "abbr",
    "abbrlink",
    "visible anchor",
    "vanchor",
    "citation needed span",
    "cn-span",
    "clarify span",
    "clarify-span",
    "quote",
    "blockquote",
    "cquote",
    "sic",
    "nihongo",
    "nihongo2",
    "nihongo3",
    "lang-[a-z-]+",
    "要出典範囲",
    "要検証範囲",
    "ルビ",
    "ruby",
    "読み仮名",
    "読み仮名 ruby不使用",
    "補助漢字フォント",
    "jis2004フォント",
    "jis90フォント",
    "拡張漢字",
    "smallcaps",
    "sc",
    "angbr",
    "overline",
    "underline",
)
# The last positional argument is the text: {{lang|la|text}}, {{transl|ar|ALA|text}}.
LAST = ("lang", "langue", "transl", "transliteration", "llang", "lang2", "rtl-lang")
# (position of the title, position of the label, named title, named label): {{ill|Title|de|Titel}}.
LINKS: dict[str, tuple[int, int, tuple[str, ...], tuple[str, ...]]] = {
    "仮リンク": (1, 0, (), ("label",)),
    "ill": (1, 0, (), ("lt", "label", "display", "text")),
    "ill2": (1, 0, (), ("lt", "label")),
    "illm": (1, 0, (), ("lt", "label")),
    "interlanguage link": (1, 0, (), ("lt", "label")),
    "interlanguage link multi": (1, 0, (), ("lt", "label")),
    "link-interwiki": (1, 0, ("zh", "title"), ("lt", "label")),
    "link-[a-z]{2}": (1, 3, (), ("lt", "label")),
    "le": (1, 3, (), ()),
    "tsl": (3, 4, (), ()),
    "internal link helper": (1, 0, (), ()),
    "lien": (1, 0, ("fr",), ("texte",)),
    "lien à illustrer": (1, 0, ("fr",), ("texte",)),
    "нп1": (1, 2, (), ()),
    "нп2": (1, 2, (), ("текст",)),
    "нп3": (1, 2, (), ()),
    "нп4": (1, 2, (), ()),
    "нп5": (1, 2, (), ()),
    "не переведено": (1, 0, ("треба", "есть"), ("текст",)),
    "не переведено 5": (1, 2, (), ()),
}
# Templates without arguments that stand for characters.
CONSTANTS = {
    "ndash": "–",
    "en dash": "–",
    "spaced ndash": " – ",
    "spnd": " – ",
    "snd": " – ",
    "spaced en dash": " – ",
    "mdash": "—",
    "em dash": "—",
    "emdash": "—",
    "snds": " – ",
    "nbsp": " ",
    "spaces": " ",
    "thinsp": " ",
    "'": "'",
    "'s": "'s",
    "=": "=",
    "(": "{",
    ")": "}",
    "·": " · ",
    "•": " • ",
    "bull": " • ",
    "dot": " · ",
    "middot": " · ",
    "pipe": "|",
    "sharp": "♯",
    "flat": "♭",
}
_PASSES = 12
_SPACES = re.compile(r"[\s_]+")
_NAMED = re.compile(r"\s*([\w -]{1,30}?)\s*=(.*)", re.DOTALL)
_PARTS = re.compile(r"\[\[[^\[\]]*\]\]|\|")


def split_arguments(body: str) -> tuple[list[str], dict[str, str]]:
    """Positional and named arguments of a template; ``|`` inside a link does not separate.

    >>> split_arguments("la|[[Roma|urbs]]|size=2")
    (['la', '[[Roma|urbs]]'], {'size': '2'})
    """
    pieces: list[str] = []
    start = 0
    for match in _PARTS.finditer(body):
        if match.group() == "|":
            pieces.append(body[start : match.start()])
            start = match.end()
    pieces.append(body[start:])
    positional: list[str] = []
    named: dict[str, str] = {}
    for piece in pieces:
        match_named = _NAMED.fullmatch(piece) if "=" in piece else None
        if match_named is None:
            positional.append(piece)
            continue
        name, value = match_named.group(1), match_named.group(2).strip()
        if name.isdecimal() and int(name) == len(positional) + 1:
            positional.append(value)
        else:
            named[name.lower()] = value
    return positional, named


def _pick(values: list[str], position: int) -> str:
    return values[position - 1].strip() if 0 < position <= len(values) else ""


class TextTemplates:
    """Replaces the templates of this module by their text."""

    def __init__(self) -> None:
        plain = sorted([*FIRST, *LAST, *LINKS, *CONSTANTS], key=len, reverse=True)
        self.names = "|".join(
            name if "[" in name else re.escape(name).replace(r"\ ", "[ _]") for name in plain
        )
        arguments = r"[^{}]*+(?:[{}](?![{}])[^{}]*+)*+"
        self._pattern = re.compile(
            rf"\{{\{{[ \n_]*+({self.names})[ \n_]*+(?:\|({arguments}))?\}}\}}", re.IGNORECASE
        )

    def expand(self, text: str) -> str:
        """``text`` with these templates replaced, innermost first."""
        for _ in range(_PASSES):
            text, count = self._pattern.subn(self._replace, text)
            if not count or "{{" not in text:
                break
        return text

    def _replace(self, match: re.Match[str]) -> str:
        name = _SPACES.sub(" ", match.group(1)).lower()
        constant = CONSTANTS.get(name)
        if constant is not None:
            return constant
        positional, named = split_arguments(match.group(2) or "")
        if name in LAST:
            return named.get("text") or _pick(positional, len(positional))
        link = LINKS.get(name) or (LINKS["link-[a-z]{2}"] if name.startswith("link-") else None)
        if link is None:
            return named.get("text") or _pick(positional, 1)
        title_position, label_position, title_names, label_names = link
        title = next((named[n] for n in title_names if named.get(n)), "")
        title = title or _pick(positional, title_position)
        label = next((named[n] for n in label_names if named.get(n)), "")
        label = label or _pick(positional, label_position)
        if not title or "[[" in title:
            return label or title
        return f"[[{title}|{label}]]" if label else f"[[{title}]]"
