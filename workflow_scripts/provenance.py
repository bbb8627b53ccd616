"""Write down what a run was made from: commit, configuration, environment, inputs, resources.

Example:
    python workflow_scripts/provenance.py --settings config.json \
        --sources results/mini/sources/*.json --dumps results/mini/dumps/*.json \
        --benchmarks results/mini/benchmarks --output results/mini/provenance.json

The settings are the whole configuration of the run.
"""

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--sources", type=Path, nargs="*", default=[], help="source manifests")
    parser.add_argument("--dumps", type=Path, nargs="*", default=[], help="dump manifests")
    parser.add_argument("--benchmarks", type=Path, required=True, help="folder of benchmark files")
    parser.add_argument("--output", type=Path, required=True, help="provenance as JSON")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.io.files import write_json
    from mluke_core.reporting.provenance import provenance
    from mluke_core.reporting.resources import read_benchmarks

    jobs = read_benchmarks(arguments.benchmarks)
    write_json(
        arguments.output,
        provenance(arguments.settings, arguments.sources, arguments.dumps, jobs),
    )


if __name__ == "__main__":
    sys.exit(main())
