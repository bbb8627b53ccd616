"""The mention table of one language.

Example:
    python workflow_scripts/count_mentions.py \
        --settings '{"language": "en", "mentions": {"maximum_mention_tokens": 10}}' \
        --pages results/mini/pages/en/000.parquet --redirects results/mini/redirects/en.parquet \
        --sitelinks results/mini/sitelinks/en.parquet \
        --vocabulary results/mini/entities/vocabulary.parquet \
        --output results/mini/mentions/en.parquet

Outputs:
    mention (lower case), title, entity_id or null, linked (links with this anchor to this title),
    occurring (pages in which the mention occurs); sorted by mention, most links first.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument(
        "--pages", type=Path, nargs="+", required=True, help="page files, all parts"
    )
    parser.add_argument("--redirects", type=Path, required=True, help="resolved redirects")
    parser.add_argument("--sitelinks", type=Path, required=True, help="sitelinks of the language")
    parser.add_argument("--vocabulary", type=Path, required=True, help="vocabulary.parquet")
    parser.add_argument("--output", type=Path, required=True, help="mention table")
    parser.add_argument(
        "--memory-mb", type=int, default=4000, help="memory of the process (default: %(default)s)"
    )
    parser.add_argument(
        "--work", type=Path, help="folder for what spills (default: that of the output)"
    )
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.alignment.count_mentions import count_mentions

    language, section = required_settings(arguments.settings, "language", "mentions")
    (maximum_words,) = required_settings(section, "maximum_mention_tokens")
    count_mentions(
        language,
        arguments.pages,
        arguments.redirects,
        arguments.sitelinks,
        arguments.vocabulary,
        maximum_words,
        arguments.output,
        arguments.memory_mb,
        arguments.work,
    )


if __name__ == "__main__":
    sys.exit(main())
