"""Figures inside a page: the svg files of this project, made to follow its light and dark colours.

A figure keeps its own colours as fallbacks: ``#1b1f24`` becomes ``var(--figure-ink, #1b1f24)``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lxml import etree
from markupsafe import Markup

from mluke_core.errors import DataError
from mluke_core.reporting.figures.style import (
    INK,
    PALETTE,
    RULE,
    SOFT,
    TITLE_HEIGHT,
    TITLE_ID,
    WARNING,
)

SVG = "{http://www.w3.org/2000/svg}"
DC = "{http://purl.org/dc/elements/1.1/}"
HREF = "{http://www.w3.org/1999/xlink}href"
ALLOWED = frozenset(
    ["svg", "g", "defs", "path", "use", "rect", "clipPath", "style", "text", "tspan", "title"]
)
COLOURS = {
    "#ffffff": "paper",
    INK: "ink",
    SOFT: "soft",
    RULE: "rule",
    WARNING: "warning",
    **{colour.lower(): f"{number}" for number, colour in enumerate(PALETTE)},
}
COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b|\bwhite\b")
REFERENCE = re.compile(r"url\(#([^)]+)\)")


@dataclass(frozen=True)
class Figure:
    """A figure ready for a page."""

    name: str
    """Its file below ``figures/``, without the suffix: ``loss/mluke-mini``."""
    title: str
    """What it says, as text."""
    drawing: Markup


def read_figure(path: Path, name: str) -> Figure:
    """Read a figure of this project.

    Identifiers get the figure's name before them, so that several stand on one page; the drawn
    title is taken out, because the page sets it as text.

    Raises:
        DataError: it is not svg, or has anything in it that a drawing does not need.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True
    )
    try:
        root = etree.parse(str(path), parser).getroot()
    except (OSError, etree.XMLSyntaxError) as error:
        raise DataError(
            f"{path}: not an svg figure ({error}). Delete it to draw it again."
        ) from None
    title = root.findtext(f".//{DC}title") or name
    height = root.findtext(f".//{DC}description") or ""
    for element in [*root.findall(f"{SVG}metadata"), *root.findall(f"{SVG}title")]:
        root.remove(element)
    prefix = re.sub(r"\W+", "-", name)
    for element in list(root.iter()):
        if not isinstance(element.tag, str) or element.tag.removeprefix(SVG) not in ALLOWED:
            raise DataError(f"{path}: <{element.tag}> has no place in a figure. Draw it again.")
        if element.get("id") == TITLE_ID:
            parent = element.getparent()
            if parent is not None:
                parent.remove(element)
            continue
        _rewrite(element, prefix, path)
    _crop(root, height)
    for size in ("width", "height"):
        root.attrib.pop(size, "")
    root.set("role", "img")
    root.set("aria-label", title)
    text = etree.tostring(root, encoding="unicode")
    return Figure(name, title, Markup(text))  # checked element by element above


def _rewrite(element: etree._Element, prefix: str, path: Path) -> None:
    for attribute, value in element.attrib.items():
        name, text = str(attribute), str(value)
        if name.lower().startswith("on"):
            raise DataError(f"{path}: an event handler has no place in a figure. Draw it again.")
        if name in (HREF, "href"):
            if not text.startswith("#"):
                raise DataError(f"{path}: a link to {text} has no place in a figure.")
            element.set(attribute, f"#{prefix}-{text[1:]}")
        elif name == "id":
            element.set("id", f"{prefix}-{text}")
        else:
            text = REFERENCE.sub(rf"url(#{prefix}-\1)", text)
            element.set(attribute, COLOUR.sub(_themed, text) if name == "style" else text)
    if element.tag == f"{SVG}style":
        # The one rule matplotlib writes would hold for the whole page.
        element.text = None


def _themed(match: re.Match[str]) -> str:
    colour = match.group().lower()
    name = COLOURS.get("#ffffff" if colour == "white" else colour)
    return f"var(--figure-{name}, {match.group()})" if name else match.group()


def _crop(root: etree._Element, description: str) -> None:
    """Cut the empty band off where the title stood."""
    box = (root.get("viewBox") or "").split()
    if len(box) != 4 or not description.startswith(TITLE_HEIGHT):
        return
    top = max(float(description.removeprefix(TITLE_HEIGHT)) - 4, 0.0)
    x, y, width, height = map(float, box)
    root.set("viewBox", f"{x:g} {y + top:g} {width:g} {max(height - top, 1):g}")
