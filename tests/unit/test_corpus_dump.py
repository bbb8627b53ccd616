"""Reading dumps: parts, schemas, and what is broken."""

from __future__ import annotations

import bz2
from pathlib import Path

import pytest

from mluke_core.corpus import pages as pages_module
from mluke_core.corpus.bz2_streams import find_stream, read_streams
from mluke_core.corpus.dump import DumpReader
from mluke_core.corpus.pages import parse_pages
from mluke_core.errors import DataError
from tests.dumps import FOOTER, articles, header, multistream, page, single


def titles(files: list[Path], part: int = 0, parts: int = 1, **options: bool) -> list[str]:
    return [p.title for p in DumpReader(files, part, parts, **options).pages()]


def test_pages_of_all_parts_are_the_pages_in_order(tmp_path: Path) -> None:
    files = [
        multistream(tmp_path / "1.bz2", articles(20)),
        multistream(tmp_path / "2.bz2", articles(31, first=21)),
        multistream(tmp_path / "3.bz2", articles(1, first=52)),
    ]
    whole = titles(files)
    assert whole == [f"Title {n}" for n in range(1, 53)]
    for parts in (2, 3, 5, 17, 100):
        assert [t for part in range(parts) for t in titles(files, part, parts)] == whole


def test_a_single_stream_file_belongs_to_one_part(tmp_path: Path) -> None:
    content = header() + "".join(articles(10)) + FOOTER
    files = [single(tmp_path / "1.bz2", content), multistream(tmp_path / "2.bz2", articles(9))]
    by_part = [titles(files, part, 4) for part in range(4)]
    assert by_part[0] == [f"Title {n}" for n in range(1, 11)]
    assert [title for part in by_part[1:] for title in part] == [f"Title {n}" for n in range(1, 10)]


def test_streams_that_do_not_begin_at_pages_are_read_as_one(tmp_path: Path) -> None:
    content = (header() + "".join(articles(10)) + FOOTER).encode()
    path = tmp_path / "1.bz2"
    cuts = range(0, len(content), 700)
    path.write_bytes(b"".join(bz2.compress(content[i : i + 700]) for i in cuts))
    assert [title for part in range(3) for title in titles([path], part, 3)] == [
        f"Title {n}" for n in range(1, 11)
    ]


def test_a_page_larger_than_a_piece_of_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mluke_core.corpus.dump._PIECE_BYTES", 100)
    monkeypatch.setattr("mluke_core.corpus.bz2_streams.READ_BYTES", 50)
    path = multistream(tmp_path / "1.bz2", [page(1, "A", "x" * 5000) + page(2, "B", "y")])
    assert [len(p.text) for p in DumpReader([path]).pages()] == [5000, 1]


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_pages_are_the_same_wherever_a_run_of_them_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("mluke_core.corpus.dump._RUN_BYTES", size)
    path = multistream(tmp_path / "1.bz2", ["".join(articles(12)), *articles(3, first=13)])
    assert titles([path]) == [f"Title {n}" for n in range(1, 16)]


@pytest.mark.parametrize(
    ("cut", "behind"),
    [
        (0, b""),
        (3, b""),
        (20, b""),
        (0, b"junk"),
        (0, b"x" * 50),
        (0, b"\0" * 30),
        (0, bz2.compress(b"more")),
        (0, bz2.compress(b"") + b"z"),
    ],
)
def test_one_long_stream_is_the_same_by_several_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int, behind: bytes
) -> None:
    monkeypatch.setattr("mluke_core.corpus.bz2_streams.HELD_BYTES", 1_000)
    path = tmp_path / "x.bz2"
    content = bz2.compress(" ".join(map(str, range(60_000))).encode(), 1)  # four blocks
    path.write_bytes(content[: len(content) - cut] + behind)
    found = []
    for threads in (1, 2, 3):
        pieces = list(read_streams(path, 0, path.stat().st_size, 1 << 20, threads))
        data = b"".join(piece.data for piece in pieces)
        troubles = [piece for piece in pieces if piece.kind not in ("data", "end")]
        found.append((data, troubles, pieces[-1].kind, pieces[-1].stop))
    assert found[0] == found[1] == found[2]
    assert found[0][3] == path.stat().st_size


def test_stream_starts_are_found_across_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mluke_core.corpus.bz2_streams.READ_BYTES", 7)
    path = tmp_path / "1.bz2"
    path.write_bytes(b"x" * 23 + bz2.compress(b"a"))
    with open(path, "rb") as stream:
        size = path.stat().st_size
        assert find_stream(stream, 0, size) == 23
        assert find_stream(stream, 24, size) == size


@pytest.mark.parametrize("schema", ["0.3", "0.5", "0.10", "0.11"])
def test_schemas(tmp_path: Path, schema: str) -> None:
    path = multistream(
        tmp_path / "1.bz2", [page(1, "A", "a", None, "")], header(schema=schema, language="sw")
    )
    reader = DumpReader([path])
    (found,) = reader.pages()
    assert (reader.siteinfo.schema, reader.siteinfo.language) == (schema, "sw")
    assert (found.namespace, found.redirect) == (None, "")
    assert reader.siteinfo.namespaces[6] == "File"


def test_an_unknown_schema_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert titles([multistream(tmp_path / "1.bz2", articles(1), header(schema="0.99"))])
    assert "export schema '0.99'" in caplog.text


def test_the_newest_of_several_revisions_counts(tmp_path: Path) -> None:
    text = page(1, "A", "old")
    text = text.replace("</revision>", "</revision><revision><text>new</text></revision>", 1)
    (found,) = DumpReader([multistream(tmp_path / "1.bz2", [text])]).pages()
    assert found.text == "new"


def test_line_ends_and_characters_of_xml(tmp_path: Path) -> None:
    text = page(1, "A", "a\r\n&<é😀").replace("é", "&#233;")
    (found,) = DumpReader([multistream(tmp_path / "1.bz2", [text])]).pages()
    assert found.text == "a\n&<é😀"


# What an XML parser reads in a way of its own, or refuses.
ODD_REFERENCES = [b"&amp;lt;", b"&quot;&gt;&amp;", b"&#65;&apos;", b"&unknown;", b"&lt", b"&"]
ODD_MARKUP = [
    b"a > b",
    b"]]>",
    b"<b>x</b>",
    b"<!-- c -->",
    b"<![CDATA[<text>x</text>]]>",
    b"<?p <text>x</text> ?>",
    b"<text",
    b"x</text",
    b"</text ><text",
    b"</text><text>x",
    b"</text><text/><texts/><text>x",
    b"</text><text a='x>y'>x",
    b"</text><text xmlns='x'>x",
]
ODD_BYTES = [
    *(b"", b"\r\n", b"\t\n", b"\x01", b"\x7f\xc2\x85", b"\xff", b"\xc3"),
    *(b"\xef\xbf\xbe", b"\xef\xbf\xbf", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80"),
]


@pytest.mark.parametrize("odd", ODD_REFERENCES + ODD_MARKUP + ODD_BYTES)
def test_texts_are_what_the_parser_reads(odd: bytes) -> None:
    contents = [b"\xc3\xa9 &lt;b&gt; &amp;", b"a %b b &lt;" % odd, odd, b"", b"&amp;"]
    pages = [page(1, "A", "X").encode().replace(b"X", content) for content in contents]
    read = list(parse_pages(b"".join(pages)))
    assert read == [pages_module._parse_alone(one.strip()) for one in pages]
    assert isinstance(read[0], pages_module.Page) and read[0].text == "é <b> &"


def test_a_broken_page_costs_itself_alone(tmp_path: Path) -> None:
    streams = articles(9)
    streams[1] = streams[1].replace("Text of [[target 5]]s", "Text <b> of & s")
    reader = DumpReader([multistream(tmp_path / "x.bz2", streams)])
    assert [p.page_id for p in reader.pages()] == [1, 2, 3, 4, 6, 7, 8, 9]
    assert reader.broken_pages == 1
    assert reader.broken[0]["page_id"] == 5 and reader.broken[0]["title"] == "Title 5"
    assert "not well-formed" in reader.broken[0]["error"]


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("<id>2</id>", "<id>two</id>", "no number"),
        ("<ns>0</ns>", "<ns>zero</ns>", "no number"),
        ("<title>Title 2</title>", "", "no title"),
        ("Text of", "Text &unknown; of", "entity"),
        ("Text of", "Text <i/> of", "element"),
    ],
)
def test_pages_with_wrong_content(tmp_path: Path, old: str, new: str, error: str) -> None:
    streams = articles(3, per_stream=1)
    streams[1] = streams[1].replace(old, new)
    reader = DumpReader([multistream(tmp_path / "x.bz2", streams)])
    assert [p.page_id for p in reader.pages()] == [1, 3]
    assert error in reader.broken[0]["error"].lower()


def test_a_broken_stream_is_passed_over(tmp_path: Path) -> None:
    path = multistream(tmp_path / "x.bz2", articles(9))
    raw = bytearray(path.read_bytes())
    starts = [i for i in range(len(raw)) if raw[i : i + 10] == b"BZh91AY&SY"]
    raw[starts[2] + 30 : starts[2] + 60] = b"\0" * 30
    path.write_bytes(raw)
    for parts in (1, 2, 4):
        readers = [DumpReader([path], part, parts) for part in range(parts)]
        found = [p.page_id for reader in readers for p in reader.pages()]
        assert found == [1, 2, 3, 7, 8, 9]
        assert sum(reader.broken_streams for reader in readers) == 1
        (record,) = [record for reader in readers for record in reader.broken]
        assert (record["stream"], record["until"]) == (starts[2], starts[3])


def test_garbage_between_streams_and_padding(tmp_path: Path) -> None:
    path = tmp_path / "x.bz2"
    blocks = [header(), *articles(6), FOOTER]
    packed = [bz2.compress(block.encode()) for block in blocks]
    path.write_bytes(packed[0] + packed[1] + b"garbage" + packed[2] + packed[3] + b"\0" * 50)
    reader = DumpReader([path])
    assert len(list(reader.pages())) == 6
    assert reader.broken_streams == 1 and "begin no bzip2 stream" in reader.broken[0]["error"]


def test_text_behind_the_root_element_is_ignored(tmp_path: Path) -> None:
    path = multistream(tmp_path / "x.bz2", articles(3), foot=FOOTER.strip() + "\\n")
    reader = DumpReader([path])
    assert len(list(reader.pages())) == 3 and not reader.broken


@pytest.mark.parametrize("kind", ["stream", "root", "page", "stream header"])
def test_truncated_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.bz2"
    if kind == "root":
        multistream(path, articles(6), foot="")
    elif kind == "page":
        streams = articles(6)
        multistream(path, [streams[0], streams[1][: streams[1].rfind("<text")]], foot="")
    else:
        multistream(path, articles(6))
        raw = path.read_bytes()
        last = raw.rfind(b"BZh91AY&SY")
        path.write_bytes(raw[: last + 6 if kind == "stream header" else last - 20])
    with pytest.raises(DataError, match=r"x\.bz2: cut off at byte \d+ .*allow_truncated"):
        titles([path])
    reader = DumpReader([path], allow_truncated=True)
    found = [p.page_id for p in reader.pages()]
    assert found[:3] == [1, 2, 3]
    assert any(record["error"].startswith("cut off") for record in reader.broken)
    assert reader.broken_pages == reader.broken_streams == 0


def test_only_the_last_part_sees_the_truncation(tmp_path: Path) -> None:
    path = multistream(tmp_path / "x.bz2", articles(30), foot="")
    assert titles([path], 0, 2)
    with pytest.raises(DataError, match="cut off"):
        titles([path], 1, 2)


def test_a_single_stream_cut_off(tmp_path: Path) -> None:
    path = single(tmp_path / "x.bz2", header() + "".join(articles(9000, 9000)) + FOOTER)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) * 2 // 3])
    with pytest.raises(DataError, match="cut off at byte 0"):
        titles([path])
    found = titles([path], allow_truncated=True)
    assert 0 < len(found) < 9000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not bzip2 at all", "not a bzip2 file"),
        (b"", "not a bzip2 file"),
        (bz2.compress(b"<html></html>"), "no <siteinfo>"),
        (bz2.compress(b"x" * (3 << 20)), "no <siteinfo>"),
        (bz2.compress(header().encode())[:60], "header cannot be decompressed"),
        (bz2.compress(header().replace("<case>", "<case").encode()), "not well-formed"),
        (bz2.compress(header().replace('key="6"', 'key="six"').encode()), "'six'"),
    ],
)
def test_files_that_are_no_dumps(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.bz2"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        titles([path])


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE mediawiki [<!ENTITY a "b">]>',
        '<!DOCTYPE mediawiki SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE m [<!ENTITY a "aa"><!ENTITY b "&a;&a;"><!ENTITY c "&b;&b;">]>',
    ],
)
def test_entity_declarations_are_refused(tmp_path: Path, declaration: str) -> None:
    path = multistream(tmp_path / "x.bz2", articles(1), header(before=declaration))
    with pytest.raises(DataError, match="declares a document type or entities"):
        titles([path])


def test_a_declaration_between_pages_declares_nothing(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE m [<!ENTITY a "aaaaaaaa">]>'
    streams = [bomb + page(1, "A", "AMP").replace("AMP", "&a;") + page(2, "B", "b")]
    reader = DumpReader([multistream(tmp_path / "x.bz2", streams)])
    assert [p.title for p in reader.pages()] == ["B"]
    assert reader.broken_pages == 1


def test_a_page_without_end_does_not_fill_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_module, "MAXIMUM_PAGE_BYTES", 20_000)
    monkeypatch.setattr("mluke_core.corpus.dump._PIECE_BYTES", 10_000)
    streams = articles(6)
    streams.insert(1, "  <page><title>Long</title><id>77</id>" + "y" * 200_000)
    reader = DumpReader([multistream(tmp_path / "x.bz2", streams)])
    assert [p.page_id for p in reader.pages()] == [1, 2, 3, 4, 5, 6]
    assert reader.broken[0]["page_id"] == 77


def test_wrong_arguments(tmp_path: Path) -> None:
    path = multistream(tmp_path / "x.bz2", articles(1))
    with pytest.raises(DataError, match="numbered 0 to 1"):
        DumpReader([path], 2, 2)
    with pytest.raises(DataError, match="no such file"):
        DumpReader([path, tmp_path / "y.bz2"])
    with pytest.raises(DataError, match="no files"):
        DumpReader([])


def test_every_file_of_a_dump_is_checked_for_its_header(tmp_path: Path) -> None:
    good = multistream(tmp_path / "1.bz2", articles(3))
    bad = tmp_path / "2.bz2"
    bad.write_bytes(b"x" * 5000)
    with pytest.raises(DataError, match=r"2\.bz2: not a bzip2 file"):
        titles([good, bad])
