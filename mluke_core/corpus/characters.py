"""White space, invisible and control characters of wikitext."""

from __future__ import annotations

import re
from html import unescape
from html.entities import html5

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
# ZWJ and ZWNJ shape words in Indic, Arabic and other scripts; between anything else they are noise.
_LETTER = "[^\\W_]|[\u0300-\u036f\u0591-\u08ff\u0900-\u109f\u135d-\u135f\u1712-\u18a9\u1a17-\u1cff]"
_STRAY_JOINERS = re.compile(
    f"[\u200c\u200d](?!{_LETTER})|(?<![\u0591-\u08ff\u0900-\u109f\u1712-\u18a9])[\u200c\u200d]"
)
_ODD_CHARACTERS = re.compile(
    "[\xa0\xad\x85\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u206a-\u206f\u3000\ufeff\ufff9-\ufffb]"
)
_INVISIBLE = re.compile(
    "[\xad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb]++"
)
_ODD_SPACES = re.compile("[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_MANY_SPACES = re.compile("   *+")
_ENTITY = re.compile(r"&(?:#(?:\d{1,8}|[xX][0-9a-fA-F]{1,7})|([A-Za-z][A-Za-z0-9]{1,30}));")


def drop_controls(text: str) -> str:
    """``text`` without the control characters that XML forbids."""
    return _CONTROL.sub("", text)


def decode_entities(text: str) -> str:
    """``text`` with its character entities decoded, once.

    MediaWiki asks for the semicolon at their end, unlike browsers and :func:`html.unescape`.

    >>> decode_entities("R&amp;B &#233; a&copy=1 &amp;nbsp; &notit;")
    'R&B é a&copy=1 &nbsp; &notit;'
    """
    return _ENTITY.sub(_decoded, text)


def _decoded(match: re.Match[str]) -> str:
    name = match.group(1)
    return unescape(match.group()) if name is None or name + ";" in html5 else match.group()


def clean_characters(text: str) -> str:
    """Replace odd white space by spaces and drop invisible characters, then collapse spaces.

    Soft hyphens, direction marks and zero-width spaces go; zero-width joiners stay where they
    belong to a word of a script that uses them. Line feeds stay.
    """
    if "&zw" in text:
        text = text.replace("&zwnj;", "\u200c").replace("&zwj;", "\u200d")
    if "\t" in text:
        text = text.replace("\t", " ")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii() and _ODD_CHARACTERS.search(text):
        text = _ODD_SPACES.sub(" ", _INVISIBLE.sub("", text))
        if "\u200d" in text or "\u200c" in text:
            text = _STRAY_JOINERS.sub("", text)
    if "  " in text:
        text = _MANY_SPACES.sub(" ", text)
    return text
