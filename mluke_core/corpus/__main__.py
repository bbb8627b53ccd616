"""Linked text out of a Wikipedia dump, without the rest of the project.

Writes pages.parquet, redirects.parquet (resolved), report.json and report.md into a folder.

Example:
    python -m mluke_core.corpus swwiki-20230501-pages-articles-multistream.xml.bz2 -o sw
    python -m mluke_core.corpus enwiki-*-pages-articles-multistream*.xml-p*.bz2 -o en --language en
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = step_parser(__doc__)
    parser.prog = "python -m mluke_core.corpus"
    parser.add_argument("dump", type=Path, nargs="+", help="pages-articles files, in page order")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write into")
    parser.add_argument("--language", help="code of the language (default: as the dump says)")
    parser.add_argument("--part", type=int, default=0, help="extract this part only, from 0")
    parser.add_argument("--parts", type=int, default=1, help="number of parts")
    parser.add_argument(
        "--extractor", choices=("mluke", "wikiextractor"), default="mluke", help="default: mluke"
    )
    parser.add_argument(
        "--preset",
        choices=("reader", "authors"),
        default="reader",
        help="text as readers see it, or as in the data of the paper's authors (default: reader)",
    )
    parser.add_argument(
        "--no-link-trails", action="store_true", help="leave letters behind a link out of it"
    )
    parser.add_argument(
        "--max-broken", type=float, default=0.001, help="fail when more is broken (0.001)"
    )
    parser.add_argument(
        "--allow-truncated", action="store_true", help="take what there is of a file cut off"
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="for dump files that are one long bzip2 stream (1)"
    )
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    """Extract the dump and resolve its redirects."""
    from mluke_core.corpus.dump import DumpReader
    from mluke_core.corpus.extract import extract_part
    from mluke_core.corpus.redirects import resolve_redirects
    from mluke_core.corpus.report import as_markdown, extraction_report
    from mluke_core.errors import DataError
    from mluke_core.io.files import write_json, write_text
    from mluke_core.io.parquet import stage_metadata, write_table

    language = arguments.language or DumpReader(arguments.dump).siteinfo.language
    if not language:
        raise DataError(f"{arguments.dump[0]}: does not say its language; give --language.")
    corpus = {
        "extractor": arguments.extractor,
        "preset": arguments.preset,
        "link_trails": False if arguments.no_link_trails else None,
        "max_broken": arguments.max_broken,
        "allow_truncated": arguments.allow_truncated,
    }
    folder = arguments.output
    redirects = folder / "redirects.parquet"
    report = extract_part(
        arguments.dump,
        arguments.part,
        arguments.parts,
        language=language,
        pages_path=folder / "pages.parquet",
        redirects_path=redirects,
        report_path=folder / "report.json",
        corpus=corpus,
        source=arguments.dump[0].name,
        threads=arguments.threads,
    )
    if arguments.parts == 1:
        table, resolved = resolve_redirects([redirects], language, [folder / "pages.parquet"])
        write_table(redirects, table, stage_metadata("resolve_redirects", corpus, language))
        report = extraction_report([report], resolved)
        write_text(folder / "report.md", as_markdown(report))
        write_json(folder / "report.json", report)
    counts = report["counts"]
    print(
        f"{counts['articles']:,} articles, {report['links']['kept']:,} links, "
        f"{counts['words']:,} words ({report['word_unit']}), {counts['redirects']:,} redirects: "
        f"{folder}"
    )


if __name__ == "__main__":
    sys.exit(main())
