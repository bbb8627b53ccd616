from mluke_core.miniature.encyclopaedia import Page, Redirect
from mluke_core.miniature.gold import count_links, resolve, vocabulary
from mluke_core.miniature.wikidata import Item
from mluke_core.miniature.wikitext import Paragraph


def article(page_id, title, *targets):
    links = tuple((n, n + 1, target) for n, target in enumerate(targets))
    return Page(page_id, 0, title, "", (Paragraph("x" * len(links), links),))


def test_resolve_follows_chains_and_ends_in_circles():
    redirects = {"A": "B", "B": "C", "D": "E", "E": "D", "F": "F", "G": "nowhere", "H": "D"}
    assert resolve(redirects) == {
        **{"A": "C", "B": "C", "D": None, "E": None, "F": None, "G": "nowhere", "H": None}
    }


def test_count_links_counts_existing_articles_only():
    pages = [
        article(1, "X", "Y", "A", "Gone", "Loop"),
        article(2, "Y", "X", "Y"),
        Page(3, 0, "A", "", redirect=Redirect("A", "Y", None)),
        Page(4, 10, "Template:Y", "", (Paragraph("x", ((0, 1, "X"),)),)),
    ]
    assert count_links(pages, {"A": "Y", "Loop": None}) == {"X": 1, "Y": 3}


def test_vocabulary_wants_three_languages_and_a_total_order():
    items = [
        Item(7, {}, {"enwiki": "A", "dewiki": "A", "frwiki": "A"}),
        Item(5, {}, {"enwiki": "B", "dewiki": "B", "frwiki": "B"}),
        Item(9, {}, {"enwiki": "C", "dewiki": "C", "frwiki": "C", "frwikiquote": "C"}),
        Item(3, {}, {"enwiki": "D", "dewiki": "D"}),
    ]
    counts = {
        "en": {"A": 1, "B": 2, "C": 9, "D": 100},
        "de": {"A": 1, "B": 1, "D": 100},
        "fr": {"A": 2, "B": 1, "C": 1},
    }
    entries = vocabulary(counts, items)
    assert [(entry["qid"], entry["count"]) for entry in entries] == [(5, 4), (7, 4)]
    assert entries[0]["languages"] == 3
    assert entries[0]["titles"] == {"en": "B", "de": "B", "fr": "B"}
