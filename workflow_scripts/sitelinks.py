"""Tables of Wikidata sitelinks, one per language, from the SQL or the JSON dump.

Example:
    python workflow_scripts/sitelinks.py \
        --settings '{"format": "sql", "wikis": {"en": "enwiki", "de": "dewiki"}}' \
        --source results/sample/sources/wikidata_sql.json \
        --output-dir results/sample/sitelinks --report results/sample/reports/sitelinks.json

Outputs:
    <output-dir>/<language>.parquet: qid i64, title; one-to-one, sorted by title.
    The report: lines read and broken, rows per language.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--source", type=Path, required=True, help="source manifest of Wikidata")
    parser.add_argument("--output-dir", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--report", type=Path, required=True, help="report (JSON)")
    parser.add_argument(
        "--threads", type=int, default=1, help="cores for the JSON dump (default: %(default)s)"
    )
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.alignment.sitelinks import sitelinks
    from mluke_core.errors import DataError
    from mluke_core.io.files import write_json
    from mluke_core.io.sources import Source

    format_name, wikis = required_settings(arguments.settings, "format", "wikis")
    source = Source(arguments.source)
    if len(source.files) != 1:
        raise DataError(
            f"{arguments.source}: {len(source.files)} files; the Wikidata dump is one file."
        )
    (name,) = source.files
    report = sitelinks(
        source.file(name),
        format_name,
        wikis,
        arguments.output_dir,
        arguments.settings,
        arguments.threads,
    )
    write_json(arguments.report, report)


if __name__ == "__main__":
    sys.exit(main())
