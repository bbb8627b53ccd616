"""White space, invisible and control characters of wikitext."""

from __future__ import annotations

import re
from html.entities import html5

import numpy as np

from mluke_core.corpus.expressions import holds_pair

_TABS = re.compile(r"\n\t[ \t]*+")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
# ZWJ and ZWNJ shape words in Indic, Arabic and other scripts; between anything else they are noise.
_LETTER = "[^\\W_]|[\u0300-\u036f\u0591-\u08ff\u0900-\u109f\u135d-\u135f\u1712-\u18a9\u1a17-\u1cff]"
_STRAY_JOINERS = re.compile(
    f"[\u200c\u200d](?!{_LETTER})|(?<![\u0591-\u08ff\u0900-\u109f\u1712-\u18a9])[\u200c\u200d]"
)
# A number, hexadecimal or decimal, or a name; two names are MediaWiki's own.
ENTITY = r"&(?:\#(?:\d{1,12}|[xX][0-9a-fA-F]{1,12})|[A-Za-z][A-Za-z0-9]{1,30}|רלמ|رلم);"
_ENTITY = re.compile(ENTITY)
_OWN_NAMES = frozenset({"&רלמ;", "&رلم;"})
_ODD_SPACES = "\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_ODD_SPACES += "\u2028\u2029\u202f\u205f\u3000"
_INVISIBLE = (
    "\xad\u180e\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064"
)
_INVISIBLE += "\u206a\u206b\u206c\u206d\u206e\u206f\ufeff\ufff9\ufffa\ufffb"
_TO_SPACE, _TO_NOTHING = 1, 2
_TREATMENT = np.zeros(1 << 16, np.uint8)
_TREATMENT[[ord(character) for character in _ODD_SPACES]] = _TO_SPACE
_TREATMENT[[ord(character) for character in _INVISIBLE]] = _TO_NOTHING


def drop_controls(text: str) -> str:
    """``text`` without the control characters that XML forbids."""
    return _CONTROL.sub("", text)


def decode_entities(text: str) -> str:
    """``text`` with its character entities decoded, once.

    MediaWiki asks for the semicolon at their end, unlike browsers and :func:`html.unescape`, and
    leaves numbers alone that stand for no character of XML.

    >>> decode_entities("R&amp;B &#233; a&copy=1 &amp;nbsp; &notit; &#150;")
    'R&B é a&copy=1 &nbsp; &notit; &#150;'
    """
    return _ENTITY.sub(_decoded, text)


def _decoded(match: re.Match[str]) -> str:
    entity: str = match.group()
    if entity[1] == "#":
        code = int(entity[3:-1], 16) if entity[2] in "xX" else int(entity[2:-1])
        return chr(code) if _is_character(code) else entity
    return "\u200f" if entity in _OWN_NAMES else html5.get(entity[1:], entity)


def _is_character(code: int) -> bool:
    return (
        0x20 <= code <= 0x7E
        or 0xA0 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or 0x10000 <= code <= 0x10FFFF
        or code in (0x9, 0xA)
    )


def clean_characters(text: str) -> str:
    """Replace odd white space by spaces and drop invisible characters, then collapse spaces.

    Soft hyphens, direction marks and zero-width spaces go; zero-width joiners stay where they
    belong to a word of a script that uses them. Line feeds stay.
    """
    if holds_pair(text, "&z"):
        text = text.replace("&zwnj;", "\u200c").replace("&zwj;", "\u200d")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\t" in text:
        # Only a space in front makes a line preformatted.
        text = _TABS.sub("\n", text).replace("\t", " ")
    units = _units(text)
    if not text.isascii():
        replaced = _replace_odd(text, units)
        if "\u200d" in replaced or "\u200c" in replaced:
            replaced = _STRAY_JOINERS.sub("", replaced)
        if replaced is not text:
            text, units = replaced, _units(replaced)
    return _single_spaces(text, units)


def _units(text: str) -> np.ndarray:
    """UTF-16 units; each is a character unless there are more of them than characters."""
    return np.frombuffer(text.encode("utf-16-le", "surrogatepass"), np.uint16)


def _single_spaces(text: str, units: np.ndarray) -> str:
    """``text`` with one space where there were several.

    Looked for in arrays, three times as fast as by splitting, for most pages hold few of them.
    """
    if len(units) != len(text):  # some characters take two units
        units = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    is_space = units == ord(" ")
    superfluous = np.flatnonzero(is_space[1:] & is_space[:-1])
    if not len(superfluous):
        return text
    kept: list[str] = []
    position = 0
    for place in superfluous.tolist():
        kept.append(text[position:place])
        position = place + 1
    kept.append(text[position:])
    return "".join(kept)


def _replace_odd(text: str, units: np.ndarray) -> str:
    """``text`` with odd spaces as spaces and without invisible characters.

    Looked for in an array of UTF-16 units, which is ten times as fast as one regular expression
    with these characters.
    """
    # Comparisons run on many units at once, looking up does not: first the ranges they are in.
    near = (units & 0xFF80) == 0x2000
    near |= (units & 0xFFC0) == 0x80
    near |= units == 0x3000
    near |= units >= 0xFEFF
    near |= (units & 0xFE7F) == 0x1600
    near |= units == 0x180E
    found = units[near]
    # A page has few different ones.
    for code in set(found[_TREATMENT[found] > 0].tolist()):
        text = text.replace(chr(code), " " if _TREATMENT[code] == _TO_SPACE else "")
    return text
