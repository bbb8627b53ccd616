"""Score mLAMA predictions: accuracy per language and relation, and the language bias of Table 6.

Example:
    python workflow_scripts/score_mlama.py \
        --predictions results/mini/predictions/mluke-e-mini/mlama.parquet \
        --settings '{"system": "mluke-e-mini", "probe": {"bias_relation": "P740"}}' \
        --sitelinks en=results/mini/sitelinks/en.parquet ja=results/mini/sitelinks/ja.parquet \
        --output results/mini/scores/mluke-e-mini/mlama.json

Writes per language, in percent, restricted_* (candidates in the entity vocabulary) and full_*
measures: micro, triple, macro, p5, p10 and mrr, as docs/probes.md defines them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import named_path, required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--predictions", type=Path, required=True, help="output of probe_mlama")
    parser.add_argument(
        "--sitelinks",
        type=named_path,
        nargs="*",
        default=[],
        metavar="LANGUAGE=FILE",
        help="sitelinks, to give answers their English titles",
    )
    parser.add_argument("--output", type=Path, required=True, help="scores")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    system, probe = required_settings(arguments.settings, "system", "probe")
    [bias_relation] = required_settings(probe, "bias_relation")
    from mluke_core.io.files import write_json
    from mluke_core.probes.mlama_scores import score_predictions

    scores = score_predictions(
        arguments.predictions, dict(arguments.sitelinks), system, bias_relation
    )
    write_json(arguments.output, scores)


if __name__ == "__main__":
    sys.exit(main())
