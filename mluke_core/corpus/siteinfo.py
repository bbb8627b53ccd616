"""The header of a dump: which wiki it is, its namespaces, and how its titles are cased."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lxml import etree

from mluke_core.errors import DataError

HEADER_END = b"</siteinfo>"
# Real headers have 2-10 kB; a file without one in its first megabyte is something else.
HEADER_LIMIT = 1 << 20
KNOWN_SCHEMAS = frozenset(f"0.{minor}" for minor in range(3, 12))


@dataclass(frozen=True)
class SiteInfo:
    """What a dump says about its wiki."""

    language: str = ""
    """``xml:lang`` of the root element, for example ``en``."""
    database: str = ""
    """``dbname``, for example ``enwiki``; before schema 0.8 worked out of the wiki's address."""
    schema: str = ""
    """Version of the export format, for example ``0.10``."""
    case: str = "first-letter"
    """``first-letter`` (titles begin with a capital) or ``case-sensitive``."""
    namespaces: dict[int, str] = field(default_factory=dict)
    """Local name of every namespace by number; the articles' namespace 0 has an empty name."""


def safe_parser() -> etree.XMLParser:
    """An XML parser that reads no DTD, resolves no entity and opens no file or address."""
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True, remove_pis=True
    )


def refuse_declarations(data: bytes, where: str) -> None:
    """Raise :class:`DataError` when ``data`` declares a document type or an entity.

    Dumps have neither; files with them are made to exhaust memory or to read other files.
    """
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise DataError(
            f"{where}: declares a document type or entities, which no MediaWiki dump does. "
            "The file is refused; fetch it again from a server you trust."
        )


def _database(address: str) -> str:
    """Name of the database behind a Wikipedia's address; empty for other addresses.

    >>> _database("http://zh-yue.wikipedia.org/wiki/Main_Page")
    'zh_yuewiki'
    """
    host = urlsplit(address).hostname or ""
    code, _, domain = host.partition(".")
    return code.replace("-", "_") + "wiki" if domain == "wikipedia.org" else ""


def parse_siteinfo(data: bytes, where: str) -> SiteInfo:
    """Read the header out of the first bytes of a dump.

    Args:
        data: decompressed bytes from the start of the file; what follows the header is ignored.
        where: name of the file, for messages.

    Raises:
        DataError: there is no header, it is not well-formed, or it declares entities.
    """
    end = data.find(HEADER_END)
    if end < 0:
        raise DataError(
            f"{where}: no <siteinfo> at its start, so this is not a MediaWiki XML dump "
            "(pages-articles). Check languages.<language>.wiki and the file that was downloaded."
        )
    header = data[: end + len(HEADER_END)]
    refuse_declarations(header, where)
    try:
        root = etree.fromstring(header + b"</mediawiki>", safe_parser())
    except etree.XMLSyntaxError as error:
        raise DataError(f"{where}: its header is not well-formed XML ({error}).") from None

    def text(name: str) -> str:
        return (root.findtext(f"{{*}}siteinfo/{{*}}{name}") or "").strip()

    namespaces: dict[int, str] = {}
    for element in root.iterfind("{*}siteinfo/{*}namespaces/{*}namespace"):
        try:
            namespaces[int(element.get("key", ""))] = (element.text or "").strip()
        except ValueError:
            raise DataError(
                f"{where}: a namespace of its header has the key {element.get('key')!r}; "
                "a number was expected."
            ) from None
    return SiteInfo(
        language=root.get("{http://www.w3.org/XML/1998/namespace}lang", ""),
        database=text("dbname") or _database(text("base")),
        schema=root.get("version", ""),
        case=text("case") or "first-letter",
        namespaces=namespaces,
    )
