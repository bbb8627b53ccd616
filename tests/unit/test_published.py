"""The printed numbers agree with themselves, except where the paper is known not to."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest

from mluke_core.errors import DataError
from mluke_core.reporting.published import Published
from tests.reporting_world import config

# Averages that are not those of the printed cells, with what the cells average to.
KNOWN_AVERAGES = {
    ("1-MLQA", "XLM-K"): 67.571,
    ("3-RELX", "XLM-R_base"): 61.76,
    ("3-CoNLL", "XLM-K"): 80.15,
    ("5-mLAMA_top1", "XLM-R_base"): 18.556,
}
HALF_A_DIGIT = 0.05


@pytest.fixture(scope="module")
def published() -> Published:
    return Published.load()


def languages_of(published: Published, block: str) -> list[str]:
    return [c for c in published.columns(block) if c != "avg" and not c.endswith("_avg")]


def averaged_rows(published: Published) -> list[tuple[str, str]]:
    return [
        (block, row)
        for block in published.blocks()
        for row in published.rows(block)
        if published.get(block, row, "avg") and not block.startswith("released")
    ]


def number(published: Published, block: str, row: str, column: str) -> float:
    value = published.get(block, row, column)
    assert value is not None and value.number is not None, (block, row, column)
    return value.number


def test_every_row_has_every_column(published: Published) -> None:
    for block, row in averaged_rows(published):
        for column in languages_of(published, block):
            number(published, block, row, column)


def test_averages_are_those_of_their_rows(published: Published) -> None:
    rows = averaged_rows(published)
    assert len(rows) == 8 + 9 + 2 + 8 + 9 + 6
    for block, row in rows:
        mean = fmean(
            number(published, block, row, column) for column in languages_of(published, block)
        )
        printed = number(published, block, row, "avg")
        if (block, row) in KNOWN_AVERAGES:
            assert mean == pytest.approx(KNOWN_AVERAGES[block, row], abs=1e-3)
            assert abs(mean - printed) >= HALF_A_DIGIT - 1e-9
        else:
            assert abs(mean - printed) <= HALF_A_DIGIT + 1e-9, (block, row)


def test_the_text_says_2_1_for_a_gain_of_1_0(published: Published) -> None:
    gain = number(published, "1-MLQA", "XLM-R_base+extra", "avg") - number(
        published, "1-MLQA", "XLM-R_base", "avg"
    )
    assert gain == pytest.approx(1.0)


def test_shares_of_the_language_bias_follow_from_their_counts(published: Published) -> None:
    for row in published.rows("6-language_bias"):
        for language in ("en", "ja", "fr"):
            times = number(published, "6-language_bias", row, f"{language}:top1_false")
            wrong = number(published, "6-language_bias", row, f"{language}:total_false")
            share = number(published, "6-language_bias", row, f"{language}:ratio_percent")
            assert round(100 * times / wrong) == share, (row, language)
            assert published.get("6-language_bias", row, f"{language}:entity")


def test_every_cell_of_the_paper_is_there(published: Published) -> None:
    assert len(published.rows("1-XQuAD")) == 8 and len(published.columns("1-XQuAD")) == 12
    assert number(published, "1-XQuAD", "mLUKE-E_base", "avg") == 74.2
    assert number(published, "1-MLQA", "mLUKE-E_large", "G-XLT_avg") == 67.7
    assert number(published, "4-modularity", "mLUKE-E_base", "tr") == 0.36
    assert published.decimals("4-modularity") == 2
    assert published.decimals("1-XQuAD") == 1
    assert published.decimals("no such block") is None


def test_cells_in_doubt_carry_a_note(published: Published) -> None:
    for column in ("de", "el"):
        value = published.get("1-XQuAD", "mLUKE-E_large", column)
        assert value and "never a check value" in value.note


def test_the_configuration_names_blocks_and_rows_that_exist(published: Published) -> None:
    blocks = {
        block["published"]
        for table in config()["tables"].values()
        for block in table.get("blocks", [])
    }
    assert blocks <= set(published.blocks())
    rows = {row for block in published.blocks() for row in published.rows(block)}
    for name, system in config()["systems"].items():
        assert system.get("published") in rows, name
    for table in config()["tables"].values():
        assert set(table.get("quoted", [])) <= rows


def test_a_cell_stated_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    path.write_text("block,row,column,value,note\na,b,c,1,\na,b,c,2,\n")
    with pytest.raises(DataError, match=r"line 3: a / b / c was stated before"):
        Published.load(path)


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    path.write_text("table,value\nx,1\n")
    with pytest.raises(DataError, match="expected block, row, column, value, note"):
        Published.load(path)
