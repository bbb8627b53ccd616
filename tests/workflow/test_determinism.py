"""Two runs of one commit and configuration give the same bytes, whatever the number of cores.

Compared is every file of the results but those that hold times, named with their reasons in
`tests.workflow.drill_run.OF_ONE_RUN`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.drill_run import DrillRun, assert_same

pytestmark = pytest.mark.workflow


def test_corpus_on_one_core_and_on_two(corpus_run: DrillRun, tmp_path: Path) -> None:
    one = DrillRun(tmp_path / "one", corpus_run.target)
    one.complete(cores=1)
    products = one.products()
    for name in (
        "pages/en/000.parquet",
        "entities/vocabulary.parquet",
        "entities/entity_vocab.json",
        "sequences/nl/00000.parquet",
        "sequences/manifest.json",
        "tables/tableA.csv",
    ):
        assert name in products
    assert_same(products, corpus_run.products())


@pytest.mark.drill
def test_models_and_scores_on_one_core_and_on_two(whole_run: DrillRun, tmp_path: Path) -> None:
    one = DrillRun(tmp_path / "one", whole_run.target)
    one.complete(cores=1)
    products = one.products()
    for name in (
        "pretraining/drill/stage1/weights.safetensors",
        "pretrained/drill/model.safetensors",
        "predictions/drill/relx.parquet",
        "scores/drill/relx.json",
        "tables/table3.csv",
        "tables/table3.html",
    ):
        assert name in products
    assert_same(products, whole_run.products())
