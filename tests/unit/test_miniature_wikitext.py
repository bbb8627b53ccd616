import pytest
from hypothesis import given
from hypothesis import strategies as st

from mluke_core.miniature.wikitext import Document, Line, Paragraph


def test_text_and_links_come_out_together():
    line = Line("en").text("A ").link("Physicist", "physicist", "physicist", trail="s")
    line.text(" in ").link("Paris", "Paris", "Paris#History|Paris").text(".")
    assert line.wikitext == "A [[physicist]]s in [[Paris#History|Paris]]."
    assert line.paragraph == Paragraph(
        "A physicists in Paris.", ((2, 12, "Physicist"), (16, 21, "Paris"))
    )


def test_letters_behind_a_link_are_kept_apart():
    line = Line("en").link("Paris", "Paris", "Paris").text("ian")
    assert line.wikitext == "[[Paris]]<nowiki/>ian"
    assert line.paragraph.links == ((0, 5, "Paris"),)
    assert Line("zh").link("Paris", "Paris", "Paris").text("ian").wikitext == "[[Paris]]ian"


def test_arabic_letters_in_front_of_a_link():
    joined = Line("ar").text("في ").link("فرنسا", "فرنسا", "فرنسا", prefix="و")
    assert joined.wikitext == "في و[[فرنسا]]"
    assert joined.paragraph.links == ((3, 9, "فرنسا"),)
    apart = Line("ar").text("و").link("فرنسا", "فرنسا", "فرنسا")
    assert apart.wikitext == "و<nowiki/>[[فرنسا]]"
    assert apart.paragraph.links == ((1, 6, "فرنسا"),)


def test_whitespace_is_one_space_and_none_at_the_ends():
    line = Line("en").raw("&nbsp;", "\u00a0").text("a ").raw("<br />", " ").raw("<!-- x -->")
    line.text(" b").raw("&nbsp;", "\u00a0")
    assert line.paragraph.text == "a b"


def test_plain_text_must_not_hold_markup():
    for text in ("[[x", "a''b", "a & b", "<b>", "{{x", "* x"):
        with pytest.raises(ValueError, match="markup within plain text"):
            Line("en").text(text)


def test_blocks_of_a_document():
    document = Document("en")
    document.hidden("{{Box}}")
    document.paragraph(document.line().text("One."))
    document.paragraph(document.line().text("Two."))
    document.heading("See also")
    document.item(document.line().text("a"))
    document.item(document.line().text("b"), "**")
    document.hidden("[[Category:X]]")
    assert document.wikitext == (
        "{{Box}}\nOne.\n\nTwo.\n\n== See also ==\n* a\n** b\n\n[[Category:X]]"
    )
    assert [p.text for p in document.paragraphs] == ["One.", "Two.", "See also", "a", "b"]


WORDS = st.text("ab c\u00a0\u3000", max_size=6)


@given(st.lists(st.tuples(st.booleans(), WORDS), max_size=12))
def test_spans_are_the_shown_anchors(pieces):
    line = Line("ja")
    expected = []
    for is_link, text in pieces:
        if is_link and text.strip():
            line.link("T", text.strip(), f"T|{text.strip()}")
            expected.append(" ".join(text.split()))
        else:
            line.text(text)
    paragraph = line.paragraph
    assert [paragraph.text[start:end] for start, end, _ in paragraph.links] == expected
    assert paragraph.text == " ".join(paragraph.text.split())
