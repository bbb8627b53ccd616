"""Ask a model mLAMA's cloze questions ("[X] was founded in [Y].") without fine-tuning.

Example:
    python workflow_scripts/probe_mlama.py --model results/mini/pretrained/mluke-mini \
        --settings '{"system": "mluke-e-mini", "inputs": "entity", "seed": 42, "probe":
        {"languages": ["en", "ja"], "maximum_questions": null, "bias_relation": "P740"}}' \
        --sources data=results/mini/sources/mlama.json \
        trex=results/mini/sources/mlama_trex_candidates.json \
        googlere=results/mini/sources/mlama_googlere_candidates.json \
        --vocabulary results/mini/entities/vocabulary.parquet \
        --output results/mini/predictions/mluke-e-mini/mlama.parquet

Writes for every question the first answer and the rank of the best right one, with all candidates
and with those in the entity vocabulary. The columns are listed in mluke_core/probes/mlama.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.errors import MlukeError
from mluke_core.io.cli import named_path, required_settings, run_step, step_parser

ROLES = ("data", "trex", "googlere")


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument(
        "--sources",
        type=named_path,
        nargs="+",
        required=True,
        metavar="ROLE=FILE",
        help="source manifests: data (mLAMA), trex and googlere (candidate lists)",
    )
    parser.add_argument(
        "--vocabulary", type=Path, required=True, help="entities/vocabulary.parquet"
    )
    parser.add_argument("--output", type=Path, required=True, help="predictions")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    system, inputs, seed, probe = required_settings(
        arguments.settings, "system", "inputs", "seed", "probe"
    )
    languages, maximum_questions = required_settings(probe, "languages", "maximum_questions")
    paths = dict(arguments.sources)
    missing = [role for role in ROLES if role not in paths]
    if missing:
        raise MlukeError(f"--sources lacks {', '.join(missing)}: give {'=..., '.join(ROLES)}=...")
    from mluke_core.io.parquet import stage_metadata, write_table
    from mluke_core.io.sources import Source
    from mluke_core.probes.mlama import ask_mlama, load_model

    result = ask_mlama(
        load_model(arguments.model, inputs),
        Source(paths["data"]),
        [Source(paths["trex"]), Source(paths["googlere"])],
        arguments.vocabulary,
        languages,
        maximum_questions,
        seed,
    )
    metadata = stage_metadata("probe_mlama", arguments.settings, system)
    write_table(arguments.output, result.table, metadata | {"report": result.report})


if __name__ == "__main__":
    sys.exit(main())
