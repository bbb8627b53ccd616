"""Test which cells of a table differ by more than chance from their baseline's.

Example:
    python workflow_scripts/significance.py --settings settings.json \
        --scores mluke-w-mini/relx=results/mini/scores/mluke-w-mini/relx.json \
        mluke-e-mini/relx=results/mini/scores/mluke-e-mini/relx.json \
        --predictions mluke-w-mini/relx=results/mini/predictions/mluke-w-mini/relx.parquet \
        mluke-e-mini/relx=results/mini/predictions/mluke-e-mini/relx.parquet \
        --coverage mluke-w-mini/relx=results/mini/predictions/mluke-w-mini/relx.coverage.json \
        mluke-e-mini/relx=results/mini/predictions/mluke-e-mini/relx.coverage.json \
        --sources relx=results/mini/sources/relx.json \
        --output results/mini/significance/table3.json

The settings have name and table (as the step `table`), pairs ([{"baseline", "system"}]), columns
(test -> columns), tests (test -> the settings of the step `score`) and seed.
"""

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import named_path, required_settings, run_step, step_parser

FILES = {
    "scores": "score files, for their best runs",
    "predictions": "predictions of tasks and of mLAMA",
    "coverage": "coverage files beside the predictions",
    "features": "vectors of word retrieval",
}


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    for name, text in FILES.items():
        parser.add_argument(
            f"--{name}",
            type=named_path,
            nargs="*",
            default=[],
            metavar="SYSTEM/TEST=FILE",
            help=text,
        )
    parser.add_argument(
        "--sources",
        type=named_path,
        nargs="*",
        default=[],
        metavar="NAME=FILE",
        help="manifests of the gold data",
    )
    parser.add_argument("--output", type=Path, required=True, help="tested cells as JSON")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    names = ("name", "table", "pairs", "columns", "tests", "seed")
    name, entry, pairs, columns, tests, seed = required_settings(arguments.settings, *names)
    from mluke_core.io.files import write_json
    from mluke_core.reporting.significance import ExampleFiles, table_significance

    files = {kind: dict(getattr(arguments, kind)) for kind in FILES}
    load = ExampleFiles(tests, sources=dict(arguments.sources), **files)
    write_json(arguments.output, table_significance(name, entry, pairs, columns, load, seed))


if __name__ == "__main__":
    sys.exit(main())
