"""The sequences of scale mini against those that follow from how the miniature world was made."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.sequences.tokenizer import Tokenizer
from tests.slow_sequences import Link, sequences_of
from tests.workflow.conftest import Run

pytestmark = pytest.mark.workflow

LIMITS = (
    "maximum_tokens",
    "minimum_sentence_tokens",
    "maximum_entities",
    "maximum_mention_tokens",
)


def gold(mini: Path, name: str) -> list[dict[str, Any]]:
    lines = (mini / "gold" / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def expected_sequences(mini: Path, language: str, limits: dict[str, int]) -> list[Any]:
    """Page, word ids and mentions of each sequence, from the gold alone."""
    vocabulary = {
        entry["titles"][language]: entry["qid"]
        for entry in gold(mini, "vocabulary")
        if language in entry["titles"]
    }
    resolved = {entry["source"]: entry["target"] for entry in gold(mini, f"{language}.resolved")}
    titles = EntityVocabulary.from_json(mini / "entities" / "entity_vocab.json")
    tokenizer = Tokenizer.load(mini / "tokenizers" / "xlmr")

    def entity(target: str) -> int | None:
        title = resolved.get(target, target)
        return titles.id_of(title, language) if title in vocabulary else None

    found = []
    for page in gold(mini, language):
        paragraphs: list[tuple[str, list[Link]]] = [
            (
                paragraph["text"],
                [(start, end, entity(target)) for start, end, target in paragraph["links"]],
            )
            for paragraph in page["paragraphs"]
        ]
        for words, mentions in sequences_of(paragraphs, language, tokenizer, **limits):
            found.append((page["page_id"], words, mentions))
    return found


@pytest.mark.parametrize("language", ["ar", "de", "en", "es", "fr", "ja", "nl", "tr", "zh"])
def test_every_sequence_is_known_by_construction(mini: Path, root: Path, language: str) -> None:
    import pyarrow.parquet as pq

    config = yaml.safe_load((root / "config.yaml").read_text("utf-8"))
    section = config["sequences"] | config["scales"]["mini"]["sequences"]
    expected = expected_sequences(mini, language, {name: section[name] for name in LIMITS})
    found = [
        (
            row["page_id"],
            row["input_ids"],
            list(zip(row["entity_ids"], row["starts"], row["ends"], strict=True)),
        )
        for path in sorted((mini / "sequences" / language).glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]
    assert len(found) == len(expected) > 300
    assert sorted(found) == sorted(expected) and found != expected
    manifest = json.loads((mini / "sequences" / "manifest.json").read_text("utf-8"))
    counts = manifest["languages"][language]
    assert counts["sequences"] == len(expected)
    assert counts["tokens"] == sum(len(words) for _, words, _ in expected)
    assert counts["entities"] == sum(len(mentions) for *_, mentions in expected)
    assert counts["links"] == sum(
        len(paragraph["links"]) for page in gold(mini, language) for paragraph in page["paragraphs"]
    )


def test_the_preview_is_made_on_demand(mini: Path, rerun: Run) -> None:
    outcome = rerun("preview")
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    page = (mini / "sequences" / "preview.html").read_text("utf-8")
    assert page.count("<section") == 9 and page.count("<mark") > 100


def blocks(root: Path, mini: Path, language: str) -> list[str]:
    """The code of docs/sequences.md in one language, on the results of the test."""
    text = (root / "docs" / "sequences.md").read_text("utf-8")
    found = re.findall(rf"```{language}\n(.*?)```", text, re.S)
    return [block.replace("results/mini", str(mini)) for block in found]


def test_the_code_of_the_page_runs(
    mini: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import duckdb

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    for block in blocks(root, mini, "sql"):
        assert len(duckdb.sql(block).fetchall()) >= 9
    programs = blocks(root, mini, "python")
    assert len(programs) >= 4
    for program in programs:
        names: dict[str, Any] = {}
        exec(program, names)
    batch = names["batch"]
    assert len(batch["words"]) == len(batch["entities"]) == 8
    # The words that an entity covers are never padding, <s> or </s>.
    covered = batch["words"].unsqueeze(1).expand(batch["covered"].shape)[batch["covered"]]
    assert covered.numel() and covered.min() > 2
    assert bool((batch["covered"].any(-1) == (batch["entities"] > 0)).all())
