"""Take the texts out of a run of pages, so that an XML parser need only read what is around them.

Nearly all of a dump is the content of ``<text>`` elements, which libxml2 reads letter by letter
where it is not ASCII. Here it is unescaped in arrays, for megabytes of pages at once, in half of
the time. Only content about which there is no question is taken out; the parser gets the rest, and
with it the last word on what is well-formed.
"""

from __future__ import annotations

import numpy as np

_TEXT, _TEXT_END = b"<text", b"</text>"
_BEHIND_NAME = b" \t\n/>"
# Of comments, raw sections and instructions the inside may look like an element.
_NO_ELEMENTS = (b"<!", b"<?")
# What MediaWiki writes; texts with other references are left to the parser.
_REFERENCES = {b"&lt;": "<", b"&gt;": ">", b"&amp;": "&", b"&quot;": '"'}
_LONGEST_REFERENCE = 6
_NAME_BYTES = 4
_NO_CHARACTERS = ("\ufffe", "\uffff")


def take_out_texts(data: bytes) -> tuple[bytes, list[str | None]]:
    """``data`` with empty ``<text>`` elements, and what was in them.

    Args:
        data: whole ``<page>`` elements.

    Returns:
        The XML without texts; and per ``<text>`` element, in order, its text, or None when it was
        left where it is. The list is empty when all were left.

    >>> take_out_texts(b'<page><text bytes="5">a &lt; b</text><text>&#97;</text></page>')
    (b'<page><text bytes="5"></text><text>&#97;</text></page>', ['a < b', None])
    """
    spans = _text_spans(data)
    if not spans:
        return data, []
    texts = _unescaped(data, spans)
    kept: list[bytes] = []
    position = 0
    for (start, end), text in zip(spans, texts, strict=True):
        if text is not None:
            kept.append(data[position:start])
            position = end
    kept.append(data[position:])
    around = b"".join(kept)
    return (data, []) if any(sign in around for sign in _NO_ELEMENTS) else (around, texts)


def _text_spans(data: bytes) -> list[tuple[int, int]]:
    """Where the content of every ``<text>`` begins and ends; empty where it is not plain."""
    spans: list[tuple[int, int]] = []
    tag = data.find(_TEXT)
    while tag >= 0:
        name_end = tag + len(_TEXT)
        start = data.find(b">", name_end) + 1
        end = data.find(b"<", start)
        if data[name_end : name_end + 1] in _BEHIND_NAME:
            # Markup ends at the first "<"; a ">" is always escaped, but may be in an attribute.
            is_plain = data.startswith(_TEXT_END, end) and data.find(b">", start, end) < 0
            spans.append((start, end) if is_plain else (start, start))
        tag = data.find(_TEXT, max(name_end, end))
    return spans


def _unescaped(data: bytes, spans: list[tuple[int, int]]) -> list[str | None]:
    """Content as text; None where there is none, or a parser might see something else in it."""
    source = np.frombuffer(data, np.uint8)
    signs = np.flatnonzero(source == ord("&"))
    # Behind a reference in a text there is at least the end tag.
    signs = signs[signs < len(source) - _LONGEST_REFERENCE]
    # The four bytes behind each sign as one number.
    names = source[signs[:, None] + np.arange(1, 1 + _NAME_BYTES)].view("<u4")[:, 0]
    units = source.copy()
    is_kept = np.ones(len(source), bool)
    omitted = np.zeros(len(signs), np.int64)
    for reference, character in _REFERENCES.items():
        name = reference[1 : 1 + _NAME_BYTES]
        mask = (1 << 8 * len(name)) - 1
        found = np.flatnonzero((names & mask) == int.from_bytes(name, "little"))
        if len(reference) > 1 + _NAME_BYTES:
            found = found[source[signs[found] + len(reference) - 1] == reference[-1]]
        omitted[found] = len(reference) - 1
        units[signs[found]] = ord(character)
        for offset in range(1, len(reference)):
            is_kept[signs[found] + offset] = False
    # What XML forbids, and carriage returns: all below a space but tabs and line feeds. What is
    # less than the first of a range wraps around, so one comparison asks for both ends of it.
    is_control = (source < ord("\t")) | (source - (ord("\n") + 1) < ord(" ") - (ord("\n") + 1))
    odd = np.concatenate([signs[omitted == 0], np.flatnonzero(is_control)])
    bounds = np.array(spans, np.int64).reshape(-1, 2)
    behind = np.searchsorted(bounds[:, 0], odd, "right") - 1
    is_odd = set(behind[(behind >= 0) & (odd < bounds[behind, 1])].tolist())
    # How far what stands at a bound has moved.
    moved = np.concatenate([[0], np.cumsum(omitted)])[np.searchsorted(signs, bounds)]
    content = units[is_kept].data
    return [
        None if start == end or number in is_odd else _decoded(content[start:end])
        for number, (start, end) in enumerate((bounds - moved).tolist())
    ]


def _decoded(content: memoryview) -> str | None:
    try:
        text = str(content, "utf-8")
    except UnicodeDecodeError:
        return None
    return None if any(character in text for character in _NO_CHARACTERS) else text
