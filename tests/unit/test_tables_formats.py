"""The four formats of a table."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mluke_core.reporting.csv_format import FIELDS, to_csv
from mluke_core.reporting.html_format import to_html
from mluke_core.reporting.latex_format import escape, to_latex
from mluke_core.reporting.markdown_format import to_markdown
from mluke_core.reporting.tables import Cell, Column, Panel, Row, Table
from mluke_core.reporting.text import format_difference, format_number
from mluke_core.reporting.write import WRITERS, write_table_files
from tests.reporting_world import build, config

TABLES = list(config()["tables"])
WATERMARK = "scale mini: not comparable with the paper"


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_of_every_table_has_the_watermark(name: str, suffix: str) -> None:
    assert WATERMARK in WRITERS[suffix](build(name))
    assert "not comparable" not in WRITERS[suffix](build(name, scale="paper"))


@pytest.mark.parametrize("name", TABLES)
def test_writing_twice_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    first = write_table_files(build(name), tmp_path / "a" / name)
    second = write_table_files(build(name), tmp_path / "b" / name)
    assert [path.suffix for path in first] == [".csv", ".md", ".tex", ".html"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_csv_has_a_line_per_cell() -> None:
    records = list(csv.DictReader(io.StringIO(to_csv(build("table3")))))
    assert list(records[0]) == FIELDS
    cells = [record for record in records if record["column"]]
    assert len(cells) == 5 * (6 + 5 + 5)
    record = next(
        r
        for r in records
        if (r["system"], r["block"], r["column"]) == ("mluke-e-mini", "CoNLL", "avg")
    )
    assert record["table"] == "table3" and record["variant"] == "default" and record["n"] == "2"
    assert record["published"] == "82.6" and record["difference"] == ""
    assert record["note"] == "average over 3 of 4 columns: en, nl, es"
    assert float(record["measured"]) == pytest.approx(77.4, abs=0.05)


def test_csv_ends_with_the_remarks_on_the_table() -> None:
    table = build("table3")
    records = list(csv.DictReader(io.StringIO(to_csv(table))))
    remarks = records[-len(table.notes) :]
    assert [record["note"] for record in remarks] == list(table.notes)
    assert {(r["table"], r["watermark"]) for r in remarks} == {("table3", table.watermark)}
    assert not any(r[name] for r in remarks for name in FIELDS[1:-2])


def test_csv_keeps_counts_apart_that_pages_show_together() -> None:
    table = build("table6")
    text = to_csv(table)
    assert "ja:top1_false" in text and "ja:count" not in text
    assert "176/401" in to_markdown(table) and "top1" not in to_markdown(table)


def test_markdown_marks_best_values_and_lines_up() -> None:
    text = to_markdown(build("table3"))
    assert re.search(r"\| mLUKE-E mini +\| +\*\*66\.6\*\* \|", text)
    assert "| · mean ± sd (n = 2)" in text and "| · paper " in text and "| · difference" in text
    assert "- [2] average over 3 of 4 columns: en, nl, es" in text
    grids = [part for part in text.split("\n\n") if part.startswith("|")]
    assert len(grids) == 2
    assert all(len({len(line) for line in grid.splitlines()}) == 1 for grid in grids)


def test_markdown_of_a_lone_dash_column_has_its_mark_at_the_heading() -> None:
    assert "CoNLL de [1] |" in to_markdown(build("table3"))


def test_latex_uses_booktabs_and_bold() -> None:
    text = to_latex(build("table4"))
    for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\cmidrule(lr){2-5}"):
        assert rule in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1
    assert r"\textbf{0.38}" in text
    assert r"\caption{modularity of" in text and r"\label{tab:table4}" in text
    assert text.count("{") == text.count("}")


def test_latex_escapes_what_it_would_read_as_commands() -> None:
    assert escape(r"a_b & 5 % {x} $1 #2 ~ ^ \y") == (
        r"a\_b \& 5 \% \{x\} \$1 \#2 \textasciitilde{} \textasciicircum{} \textbackslash{}y"
    )
    assert escape("−0.4 ± 1") == r"$-$0.4 $\pm$ 1"


def hostile() -> Table:
    cells = [Cell("<b>", "en", value="<script>alert('x')</script>|*", notes=('"quoted" & <i>',))]
    return Table("t", "A & B <u>", "mini", [Panel([Column("en|x")], [Row("<img>", cells)])])


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    return tags


@pytest.mark.parametrize("name", TABLES)
def test_html_is_whole_and_needs_no_network(name: str) -> None:
    text = to_html(build(name))
    tags = parsed(text)
    for tag, attributes in tags.seen:
        assert tag not in ("link", "img", "iframe")
        assert not attributes.get("src")
        assert not re.match("https?:", attributes.get("href") or "")
    notes = {a["id"] for _, a in tags.seen if (a.get("id") or "").startswith("note-")}
    links = {a.get("href") or "" for tag, a in tags.seen if tag == "a"}
    assert links == {f"#{note}" for note in notes} | {"../provenance.json"}
    assert any(a.get("aria-sort") == "none" for _, a in tags.seen)


def test_texts_cannot_break_out_of_html() -> None:
    text = to_html(hostile())
    assert "alert(&#39;x&#39;)" in text and "<script>alert" not in text
    assert [tag for tag, _ in parsed(text).seen].count("script") == 1
    assert "<img>" not in text


def test_texts_cannot_break_out_of_markdown() -> None:
    text = to_markdown(hostile())
    assert r"\<script\>alert('x')\</script\>\|\*" in text


def test_a_quoted_row_is_shown_in_italics() -> None:
    table = build("table3")
    assert "*90.7*" in to_markdown(table)
    assert r"\textit{90.7}" in to_latex(table)
    assert '<tr class="quoted">' in to_html(table)


def test_numbers_are_rounded_with_a_true_minus_and_no_negative_zero() -> None:
    assert format_number(-12.345, 1) == "−12.3"
    assert format_number(-0.04, 1) == "0.0"
    assert format_number(1_234_567, 0) == "1,234,567"
    assert format_difference(1.26, 1) == "+1.3"
    assert format_difference(0.04, 1) == "0.0"
    assert format_difference(-0.5, 1) == "−0.5"


def test_a_table_of_one_run_has_no_line_of_means() -> None:
    assert "mean ± sd" not in to_markdown(build("table4"))
    assert "mean ± sd" not in to_html(build("table4"))
