"""Write down what a run was made from: commit, configuration, environment, inputs, resources.

Example:
    python workflow_scripts/provenance.py --settings config.json \
        --sources results/mini/sources/*.json --dumps results/mini/dumps/*.json \
        --benchmarks results/mini/benchmarks --results results/mini/tables/* \
        --output results/mini/provenance.json

The settings are the whole configuration of the run. ro-crate-metadata.json, the same as a Research
Object Crate, is written beside the output.
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
    parser.add_argument(
        "--results", type=Path, nargs="*", default=[], help="files that the run made"
    )
    parser.add_argument("--output", type=Path, required=True, help="provenance as JSON")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.io.files import write_json
    from mluke_core.reporting.crate import CRATE_FILE, crate_metadata
    from mluke_core.reporting.provenance import provenance
    from mluke_core.reporting.resources import read_benchmarks

    jobs = read_benchmarks(arguments.benchmarks)
    made_from = provenance(arguments.settings, arguments.sources, arguments.dumps, jobs)
    write_json(arguments.output, made_from)
    folder = arguments.output.parent
    titles = {name: entry["title"] for name, entry in arguments.settings["tables"].items()}
    results = [*arguments.results, arguments.output]
    write_json(folder / CRATE_FILE, crate_metadata(made_from, folder, results, titles))


if __name__ == "__main__":
    sys.exit(main())
