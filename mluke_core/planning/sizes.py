"""How much there is to do: bytes of dumps, floating-point operations of models and tests."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mluke_core.config import MINIATURE

HERE = Path(__file__).parent
MEGA = 1e6
# The miniature world's dumps, measured; they are made, not fetched.
MINIATURE_MB = 2.63 / 9
MINIATURE_WORDS = 8002
SITELINKS_PER_DUMP = 1.4e9 / 57e9
"""Bytes of Wikidata's sitelinks per byte of the 24 dumps, where nothing better is known."""
BYTES_PER_WEIGHT = 4
PUBLIC = "public"


@cache
def table(name: str) -> list[dict[str, str]]:
    """The rows of one of this package's tables."""
    with open(HERE / f"{name}.csv", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@dataclass(frozen=True)
class Size:
    """A size in MB and where it is from."""

    mb: float
    origin: str


def dump_size(config: Mapping[str, Any], language: str) -> Size | None:
    """Compressed size of a language's dump; None where nobody has written it down here.

    In this order: the manifest of a dump that is already there, the files of the mirror folder,
    the published table (the nearest date).
    """
    wiki, date = config["languages"][language]["wiki"], config["dump_date"]
    manifest = Path(config["results"]) / config["scale"] / "dumps" / f"{language}.json"
    if manifest.is_file():
        files = json.loads(manifest.read_text("utf-8"))["files"]
        return Size(sum(file["bytes"] for file in files) / MEGA, "manifest")
    mirror = config["mirror"]
    if mirror == MINIATURE:
        return Size(MINIATURE_MB, "miniature")
    if mirror and "://" not in mirror:
        folder = Path(mirror) / "dumps.wikimedia.org" / wiki / date
        files = list(folder.glob("*pages-articles-multistream*.xml*.bz2")) or list(
            folder.glob("*pages-articles*.xml*.bz2")
        )
        return Size(sum(file.stat().st_size for file in files) / MEGA, "mirror")
    rows = [row for row in table("dumps") if row["wiki"] == wiki]
    if not rows:
        return None
    nearest = min(rows, key=lambda row: abs(_month(row["date"]) - _month(date)))
    return Size(int(nearest["bytes"]) / MEGA, f"dump of {nearest['date']}")


def _month(date: str) -> int:
    return int(date[:4]) * 12 + int(date[4:6])


@dataclass(frozen=True)
class Shape:
    """What the cost of a model depends on."""

    layers: int
    hidden: int
    intermediate: int
    words: int
    entities: int
    entity_size: int
    small: bool
    """Trained from scratch by this configuration, on the CPU."""

    @property
    def body(self) -> float:
        """Weights of the layers alone, which every token meets."""
        return self.layers * (4 * self.hidden**2 + 2 * self.hidden * self.intermediate)

    @property
    def weights(self) -> float:
        """All weights, embeddings included."""
        entities = self.entities * self.entity_size + self.entity_size * self.hidden
        return self.body + self.words * self.hidden + (entities if self.entities else 0)

    @property
    def megabytes(self) -> float:
        """Size of the weights as a file."""
        return self.weights * BYTES_PER_WEIGHT / MEGA

    def forward(self, tokens: float) -> float:
        """TFLOP of one pass over sequences with this many tokens in all: two per weight."""
        return 2 * self.body * tokens / 1e12


def shape(config: Mapping[str, Any], name: str) -> Shape:
    """The shape of a model of the configuration, found through its `base`."""
    model = config["models"][name]
    has_entities = model.get("objective") == "luke" or model.get("source", "").startswith("mluke")
    root = model
    while root["pretrained"] == "dag":
        root = config["models"][root["base"]]
    small = root["pretrained"] == "random"
    if small:
        built = root["architecture"]
        layers, hidden = built["layers"], built["hidden_size"]
        intermediate = built["intermediate_size"]
        words = 119_547 if "mbert" in root["tokenizer"] else 250_002
        words = MINIATURE_WORDS if config["mirror"] == MINIATURE else words
    else:
        rows = [row for row in table("models") if row["source"] == root["source"]]
        # A backbone of one's own that is not in the table counts as one of base size.
        row = rows[0] if rows else table("models")[1]
        layers, hidden = int(row["layers"]), int(row["hidden"])
        intermediate, words = int(row["intermediate"]), int(row["words"])
    # Small runs see few entities; 500 of them is what both small scales have.
    entities = (500 if small else config["vocabulary"]["size"]) if has_entities else 0
    size = config["pretraining"]["entity_embedding_size"]
    return Shape(layers, hidden, intermediate, words, entities, size, small)


def place(config: Mapping[str, Any]) -> str:
    """Which rows of the table of work hold: public data, excerpts in a mirror, or the miniature."""
    if config["mirror"] == MINIATURE:
        return "miniature"
    return "excerpts" if config["mirror"] else PUBLIC


def work(config: Mapping[str, Any], name: str, source: str = "") -> tuple[int, int]:
    """Examples of a test collection or of a source's training set, and tokens of each."""
    for row in table("work"):
        if (row["place"], row["source"], row["name"]) == (place(config), source, name):
            return int(row["examples"]), int(row["tokens"])
    return 0, 0


# Share of tokens that are entities' mentions, counted in the sequences of both small scales.
ENTITIES_PER_TOKEN = 0.05
# A step that leaves the layers as they are still goes backwards through them.
PASSES = {"new": 2, "all": 3}


def pretraining_tflop(config: Mapping[str, Any], model: str, stage: str) -> float:
    """TFLOP of a stage of pretraining, over all processes."""
    entry, shared = config["models"][model], config["pretraining"]
    values = shared["stages"][stage] | entry["stages"][stage]
    built = shape(config, model)
    tokens = values["steps"] * values["batch_size"] * config["sequences"]["maximum_tokens"]
    masked = tokens * shared["word_mask_share"]
    heads = 2 * masked * built.hidden * built.words / 1e12
    linked = tokens * ENTITIES_PER_TOKEN * shared["entity_mask_share"]
    heads += 2 * linked * built.entity_size * built.entities / 1e12
    return PASSES[values["trainable"]] * built.forward(tokens) + 3 * heads


def finetuning_tflop(config: Mapping[str, Any], system: str, task: str, batch: int) -> float:
    """TFLOP of one run of a task's search."""
    entry = config["tasks"][task]
    examples, tokens = work(config, "train", entry["train"]["source"])
    rows = examples * entry["epochs"]
    if entry["maximum_steps"]:
        rows = min(rows, entry["maximum_steps"] * batch)
    return 3 * shape(config, config["systems"][system]["model"]).forward(rows * tokens)


def prediction_tflop(config: Mapping[str, Any], system: str, test: str, runs: int) -> float:
    """TFLOP of reading a test collection once for each of the selected runs."""
    examples, tokens = work(config, test)
    built = shape(config, config["systems"][system]["model"])
    return built.forward(runs * examples * tokens)
