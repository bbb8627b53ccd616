"""Extract one part of a Wikipedia dump: pages as paragraphs with link spans, and redirects.

Example:
    python workflow_scripts/extract.py --settings '{"language": "sw", "wiki": "swwiki"}' \
        --dump results/sample/dumps/sw.json --part 000 --parts 1 \
        --pages pages.parquet --redirects redirects.parquet --report report.json
"""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--dump", type=Path, required=True, help="dump manifest")
    parser.add_argument("--part", type=int, required=True, help="number of the part, from 0")
    parser.add_argument("--parts", type=int, required=True, help="how many parts there are")
    parser.add_argument(
        "--threads", type=int, default=1, help="for a dump file that is one long bzip2 stream"
    )
    parser.add_argument("--pages", type=Path, required=True, help="Parquet file to write")
    parser.add_argument("--redirects", type=Path, required=True, help="Parquet file to write")
    parser.add_argument("--report", type=Path, required=True, help="JSON file to write")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.io.process import keep_freed_memory, no_cycle_collection

    keep_freed_memory()
    # Imports leave no cycles behind either.
    with no_cycle_collection():
        extract(arguments)
    # The process ends with it: Python need not look through all objects once more.
    gc.freeze()


def extract(arguments: argparse.Namespace) -> None:
    from mluke_core.corpus.extract import extract_part
    from mluke_core.io.files import read_json

    settings = arguments.settings
    (language,) = required_settings(settings, "language")
    manifest = read_json(arguments.dump)
    extract_part(
        [Path(file["path"]) for file in manifest["files"]],
        arguments.part,
        arguments.parts,
        language=language,
        pages_path=arguments.pages,
        redirects_path=arguments.redirects,
        report_path=arguments.report,
        corpus=settings.get("corpus"),
        wiki_name=settings.get("wiki", ""),
        source=f"{manifest['wiki']} {manifest['date']}",
        settings=settings,
        threads=arguments.threads,
    )


if __name__ == "__main__":
    sys.exit(main())
