"""How faithful the extracted text and links are: MediaWiki's parser tests, gold, real dumps.

Example:
    python benchmarks/fidelity.py --tests ../shared/truth/parsoid
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import _bench
import _fidelity_peers
import _residual
from _dumps import MIRROR
from _parser_tests import read_folder
from _verdicts import Verdict, judge, links_of, whole_text

from mluke_core.errors import MlukeError

TESTS = _bench.ROOT.parent / "shared" / "truth" / "parsoid"
DESCRIPTION = """\
What the extractor makes of MediaWiki's own parser tests (wikitext beside the HTML that MediaWiki
shows), against the same HTML read by the rules of docs/corpus.md. A test is exact when all
paragraphs, all links to articles and all their spans are right. MediaWiki has two parsers; where
their HTML differs, either is right. Tables, references, pictures with captions, and lines that
begin with a bar are taken out of the HTML, since our rules drop them; the brackets of what is no
link may stand or be gone. wikiextractor and mwparserfromhell 0.7.2 are compared by less: the whole
text without regard to paragraphs, and the links' targets and anchors in order; redirects are left
out, which they do not read. Then the miniature world's gold, and markup left in the text of real
dumps, that which the page itself protects apart.
"""
QUICK_DUMP_BYTES = 400_000
GOLD_LANGUAGES = ["ar", "de", "en", "es", "fr", "ja", "nl", "tr", "zh"]
GOLD_SEED = 7

Answer = tuple[str, list[tuple[str, str]]]


def run(arguments: argparse.Namespace) -> list[_bench.Row]:
    """Measure all; the rows of the table. What is listed below it goes to ``arguments.notes``."""
    rows: list[_bench.Row] = []
    try:
        tests = read_folder(arguments.tests)
    except MlukeError as error:
        sys.exit(str(error))
    verdicts, left_out = judge(tests)
    exact = sum(verdict.exact for verdict in verdicts)
    rows.append(_share("parser tests exact", exact, len(verdicts), ">= 98"))
    # In the others all is dropped (tables, pictures): right is what leaves nothing.
    with_text = [verdict for verdict in verdicts if any(verdict.expected)]
    exact = sum(verdict.exact for verdict in with_text)
    rows.append(_share("those of them that show text", exact, len(with_text), ">= 98"))
    peers, notes = _compare(verdicts, arguments.peer_path)
    rows += peers
    rows.append(_gold(GOLD_LANGUAGES[:3] if arguments.quick else GOLD_LANGUAGES))
    if MIRROR.is_dir():
        residue = _residual.measure(MIRROR, QUICK_DUMP_BYTES if arguments.quick else sys.maxsize)
        rows.append(_residue_row(residue))
        notes += _listed("Markup left in the sample's text that no page protects", residue)
    arguments.notes += [
        *notes,
        f"## Left out\n\nOf {len(tests):,} tests {sum(left_out.values()):,} say nothing about text "
        "or links, or need what a dump does not have. The rules are in "
        "`benchmarks/_applicable.py`; tests left out by name, with their reasons, in "
        "`benchmarks/fidelity_exclusions.json`.\n\n" + _counts(left_out),
        "## Tests that are not exact\n\n"
        + "\n".join(f"- {verdict.test.key}" for verdict in verdicts if not verdict.exact),
    ]
    return rows


def _share(name: str, right: int, total: int, bar: str) -> _bench.Row:
    percent = 100 * right / total
    # Rounded down: 97.996 % is not 98 %.
    shown = f"{right:,} of {total:,} ({right * 10_000 // total / 100:.2f} %)"
    return _bench.Row(name, shown, "", percent, bar)


def _compare(
    verdicts: Sequence[Verdict], peer_path: Path | None
) -> tuple[list[_bench.Row], list[str]]:
    """Ours and the peers on the tests that are no redirects, overall and by group."""
    common = [verdict for verdict in verdicts if not verdict.is_redirect]
    tests = [verdict.test for verdict in common]
    answers: dict[str, list[Answer]] = {
        "ours": [(whole_text(verdict.ours), links_of(verdict.ours)) for verdict in common],
        "wikiextractor": [
            (whole_text(found), links_of(found)) for found in _fidelity_peers.wikiextractor(tests)
        ],
        "mwparserfromhell": _fidelity_peers.mwparserfromhell(tests, peer_path),
    }
    measures: dict[str, Callable[[Verdict, Answer], bool]] = {
        "text": lambda verdict, answer: verdict.same_text(answer[0]),
        "links": lambda verdict, answer: verdict.same_links(answer[1]),
        "both": lambda verdict, answer: (
            verdict.same_text(answer[0]) and verdict.same_links(answer[1])
        ),
    }
    right = {
        (name, measure): [
            judge_one(verdict, answer) for verdict, answer in zip(common, found, strict=True)
        ]
        for name, found in answers.items()
        for measure, judge_one in measures.items()
    }
    linked = [i for i, verdict in enumerate(common) if any(map(links_of, verdict.expected))]
    rows = []
    for peer in ("wikiextractor", "mwparserfromhell"):
        for title, measure, chosen in (
            ("text right", "text", range(len(common))),
            ("links right", "links", range(len(common))),
            ("text and links right", "both", range(len(common))),
            (f"links right in the {len(linked)} tests that have some", "links", linked),
        ):
            ours, theirs = (
                f"{100 * sum(right[name, measure][i] for i in chosen) / len(chosen):.1f} %"
                for name in ("ours", peer)
            )
            rows.append(_bench.Row(f"{title}; {peer}", ours, theirs, None, ""))
    lines = [
        "## By group\n\nShare of tests with the right text and links; a test can be in several "
        "groups.\n",
        "| group | tests | exact | text | links | wikiextractor text | links "
        "| mwparserfromhell text | links |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for group in sorted({group for verdict in common for group in verdict.groups}):
        chosen = [i for i, verdict in enumerate(common) if group in verdict.groups]
        cells = [f"{100 * sum(common[i].exact for i in chosen) / len(chosen):.1f} %"]
        for name in answers:
            for measure in ("text", "links"):
                share = sum(right[name, measure][i] for i in chosen) / len(chosen)
                cells.append(f"{100 * share:.1f} %")
        lines.append(f"| {group} | {len(chosen)} | {' | '.join(cells)} |")
    return rows, ["\n".join(lines)]


def _gold(languages: list[str]) -> _bench.Row:
    """Paragraphs of the miniature world whose text, links and spans are those of its gold."""
    import pyarrow.parquet as pq

    from mluke_core.corpus.extract import extract_part
    from mluke_core.miniature.dumps import write_dump
    from mluke_core.miniature.encyclopaedia import Encyclopaedia, articles_by_language
    from mluke_core.miniature.facts import load_world
    from mluke_core.miniature.gold import write_gold

    right = total = 0
    world = load_world()
    keys = articles_by_language(world, languages, GOLD_SEED)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pages = {
            name: Encyclopaedia(world, name, keys[name], GOLD_SEED).pages() for name in languages
        }
        write_gold(folder / "gold", pages, [])
        for name in languages:
            write_dump(folder / name, name, "20230501", pages[name], 1)
            extract_part(
                sorted((folder / name).glob("*-pages-articles-multistream*.xml*.bz2")),
                0,
                1,
                language=name,
                pages_path=folder / "pages",
                redirects_path=folder / "redirects",
                report_path=folder / "report",
            )
            gold = (folder / "gold" / f"{name}.jsonl").read_text("utf-8").splitlines()
            found = {row["page_id"]: row for row in pq.read_table(folder / "pages").to_pylist()}
            for line in gold:
                expected = json.loads(line)
                wanted = [(p["text"], p["links"]) for p in expected["paragraphs"]]
                given = _paragraphs(found.get(expected["page_id"]))
                total += len(wanted)
                right += sum(a == b for a, b in zip(wanted, given, strict=False))
    return _share("paragraphs of the miniature world exact", right, total, ">= 100")


def _paragraphs(row: dict[str, Any] | None) -> list[tuple[str, list[list[Any]]]]:
    if row is None:
        return []
    return [(p["text"], [list(link.values()) for link in p["links"]]) for p in row["paragraphs"]]


def _residue_row(residue: _residual.Residue) -> _bench.Row:
    count = len(residue.unprotected)
    millions = residue.characters / 1e6
    return _bench.Row(
        "markup left in real text, per million characters",
        f"{count / millions:.2f} ({count} in {millions:.1f} M; {residue.protected} more that the "
        "pages protect)",
        "",
        count / millions,
        "<= 0",
    )


def _listed(title: str, residue: _residual.Residue) -> list[str]:
    if not residue.unprotected:
        return []
    return [f"## {title}\n\n" + "\n".join(f"- `{hit}`" for hit in residue.unprotected)]


def _counts(left_out: Counter[str]) -> str:
    lines = ["| reason | tests |", "|---|---|"]
    lines += [f"| {reason} | {count} |" for reason, count in left_out.most_common()]
    return "\n".join(lines)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tests", type=Path, default=TESTS, help="folder with MediaWiki's parser tests"
    )


if __name__ == "__main__":
    sys.exit(
        _bench.main(
            "fidelity",
            DESCRIPTION,
            run,
            packages=["lxml", "wikiextractor"],
            add_arguments=_add_arguments,
        )
    )
