"""Mentions linked in the articles that questions are about, in every language of the questions.

Example:
    python workflow_scripts/article_mentions.py \
        --settings '{"languages": ["en", "de"], "title_languages": {"squad": "en"},
                     "mentions": {"minimum_link_probability": 0.01, "anchors_per_entity": 100}}' \
        --articles results/mini/sources/squad.json \
        --pages en=results/mini/pages/en/000.parquet de=results/mini/pages/de/000.parquet \
        --redirects en=results/mini/redirects/en.parquet de=results/mini/redirects/de.parquet \
        --sitelinks en=results/mini/sitelinks/en.parquet de=results/mini/sitelinks/de.parquet \
        --mentions en=results/mini/mentions/en.parquet de=results/mini/mentions/de.parquet \
        --vocabulary results/mini/entities/vocabulary.parquet \
        --output results/mini/mentions/articles.parquet

Outputs:
    title_language, article, language, mention, title (in that language), entity_id or null,
    link_probability.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from mluke_core.io.cli import named_path, required_settings, run_step, step_parser

log = logging.getLogger("mluke")


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument(
        "--articles", type=Path, nargs="+", required=True, help="source manifests of the questions"
    )
    for name, what in (
        ("pages", "page files, all parts"),
        ("redirects", "resolved redirects"),
        ("sitelinks", "sitelinks"),
        ("mentions", "mention table"),
    ):
        parser.add_argument(
            f"--{name}",
            type=named_path,
            nargs="+",
            required=True,
            metavar="LANG=PATH",
            help=f"{what} of each language",
        )
    parser.add_argument("--vocabulary", type=Path, required=True, help="vocabulary.parquet")
    parser.add_argument("--output", type=Path, required=True, help="mentions of the articles")
    parser.add_argument(
        "--memory-mb", type=int, default=4000, help="memory of the process (default: %(default)s)"
    )
    parser.add_argument(
        "--work", type=Path, help="folder for what spills (default: that of the output)"
    )
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.alignment.article_mentions import Tables, article_mentions, articles_of
    from mluke_core.io.sources import Source

    languages, title_languages, section = required_settings(
        arguments.settings, "languages", "title_languages", "mentions"
    )
    minimum_link_probability, anchors_per_entity = required_settings(
        section, "minimum_link_probability", "anchors_per_entity"
    )
    counts = article_mentions(
        articles_of(map(Source, arguments.articles), title_languages),
        Tables(
            arguments.pages,
            dict(arguments.redirects),
            dict(arguments.sitelinks),
            dict(arguments.mentions),
        ),
        arguments.vocabulary,
        languages,
        minimum_link_probability,
        anchors_per_entity,
        arguments.output,
        arguments.memory_mb,
        arguments.work,
    )
    log.info(
        "%d articles in the data sets, %d of them in the dumps, %d mentions",
        counts["articles"],
        counts["articles_found"],
        counts["rows"],
    )


if __name__ == "__main__":
    sys.exit(main())
