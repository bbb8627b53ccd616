"""A made-up language small enough to pretrain on in seconds, in the project's file formats.

Every sequence has one of four topics, with words and entities of its own, and every entity is
mentioned by words of its own, so both objectives can be learned.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from mluke_core.io.files import file_digest, write_json
from mluke_core.io.parquet import stage_metadata, write_table
from mluke_core.modeling.initialize_model import initialize_model

# Models this small only lose time to more threads.
torch.set_num_threads(1)

WORDS = 40
ENTITIES = 12
SPECIAL_ENTITIES = ("[PAD]", "[UNK]", "[MASK]")
FIRST_WORD = 4
TOPICS = 4
LANGUAGES = {"en": 150, "ja": 60}
ARCHITECTURE = {"layers": 1, "hidden_size": 32, "heads": 2, "intermediate_size": 48}

SETTINGS: dict[str, Any] = {
    "model": "mluke-tiny",
    "objective": "luke",
    "stage": "stage2",
    "seed": 7,
    "trainable": "all",
    "steps": 6,
    "warmup_steps": 2,
    "learning_rate": 1e-2,
    "batch_size": 8,
    "micro_batch_size": 4,
    "micro_batch_tokens": 0,
    "word_mask_share": 0.15,
    "entity_mask_share": 0.15,
    "precision": "fp32",
    "zero_stage": 0,
    "entity_gradient": "dense",
    "entity_embedding_size": 16,
    "entity_positions": "random",
    "betas": [0.9, 0.999],
    "epsilon": 1e-6,
    "weight_decay": 0.01,
    "bias_correction": False,
    "gradient_clipping": 0,
    "log_interval": 2,
    "validation_interval": 3,
    "validation_sequences": 4,
    "checkpoint_interval": 2,
    "keep_checkpoints": 2,
    "peer_timeout": 60,
    "peak_tflops": None,
}

SCHEMA = pa.schema(
    [
        ("page_id", pa.int64()),
        ("input_ids", pa.list_(pa.int32())),
        ("entity_ids", pa.list_(pa.int32())),
        ("starts", pa.list_(pa.int16())),
        ("ends", pa.list_(pa.int16())),
        ("validation", pa.bool_()),
    ]
)


def write_world(folder: Path) -> dict[str, Path]:
    """Write tokenizer, base model, vocabulary, shards and manifest. Returns where they are."""
    tokenizer = folder / "tokenizer"
    write_tokenizer(tokenizer)
    base = folder / "base"
    initialize_model(ARCHITECTURE, tokenizer, 3, base)
    vocabulary = folder / "vocabulary.parquet"
    entity_vocabulary = write_vocabulary(vocabulary)
    write_json(folder / "entity_vocab.json", entity_vocabulary)
    generator = np.random.default_rng(5)
    shards = []
    for language, rows in LANGUAGES.items():
        for part in range(2 if language == "en" else 1):
            path = folder / "sequences" / language / f"{part}.parquet"
            shards.append(write_shard(path, language, rows, generator))
    manifest = folder / "sequences" / "manifest.json"
    write_manifest(manifest, shards, tokenizer, vocabulary)
    return {
        "tokenizer": tokenizer,
        "base": base,
        "vocabulary": vocabulary,
        "entity_vocab": folder / "entity_vocab.json",
        "manifest": manifest,
    }


def write_tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True)
    names = ["<s>", "<pad>", "</s>", "<unk>", *(f"w{n}" for n in range(WORDS)), "<mask>"]
    special = {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}
    write_json(
        folder / "tokenizer.json",
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {
                    "id": number,
                    "content": name,
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                    "special": True,
                }
                for number, name in enumerate(names)
                if name in special
            ],
            "normalizer": None,
            "pre_tokenizer": {"type": "WhitespaceSplit"},
            "post_processor": None,
            "decoder": None,
            "model": {
                "type": "WordLevel",
                "vocab": {name: number for number, name in enumerate(names)},
                "unk_token": "<unk>",
            },
        },
    )
    tokens = {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "cls_token": "<s>",
        "mask_token": "<mask>",
    }
    write_json(folder / "special_tokens_map.json", tokens)
    write_json(
        folder / "tokenizer_config.json", {**tokens, "tokenizer_class": "PreTrainedTokenizerFast"}
    )


def write_vocabulary(path: Path) -> dict[str, int]:
    """Write the Parquet file. Returns the same as the content of ``entity_vocab.json``."""
    names = [[("", name)] for name in SPECIAL_ENTITIES]
    names += [[("en", f"Thing {n}"), ("ja", f"物 {n}")] for n in range(ENTITIES)]
    special = len(SPECIAL_ENTITIES)
    table = pa.table(
        {
            "entity_id": pa.array(range(len(names)), pa.int32()),
            "qid": pa.array([None] * special + list(range(1, ENTITIES + 1)), pa.int64()),
            "count": pa.array([0] * special + [5] * ENTITIES, pa.int64()),
            "languages": pa.array([0] * special + [2] * ENTITIES, pa.int16()),
            "titles": pa.array(
                [[{"language": lang, "title": title} for lang, title in row] for row in names],
                pa.list_(pa.struct([("language", pa.string()), ("title", pa.string())])),
            ),
        }
    )
    write_table(path, table, stage_metadata("build_vocabulary", {}))
    return {
        f"{language}:{title}" if language else title: number
        for number, row in enumerate(names)
        for language, title in row
    }


def make_rows(count: int, generator: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for number in range(count):
        length = int(generator.integers(5, 30))
        topic = int(generator.integers(TOPICS))
        words = (topic + TOPICS * generator.integers(WORDS // TOPICS, size=length)).tolist()
        entities, starts, ends = [], [], []
        for _ in range(int(generator.integers(1, 4))):
            entity = topic + TOPICS * int(generator.integers(ENTITIES // TOPICS))
            start = int(generator.integers(length - 1))
            words[start : start + 2] = [entity, entity + ENTITIES]
            entities.append(len(SPECIAL_ENTITIES) + entity)
            starts.append(start)
            ends.append(start + 2)
        rows.append(
            {
                "page_id": number,
                "input_ids": [FIRST_WORD + word for word in words],
                "entity_ids": entities,
                "starts": starts,
                "ends": ends,
                "validation": number % 5 == 4,
            }
        )
    return rows


def write_shard(
    path: Path, language: str, count: int, generator: np.random.Generator
) -> dict[str, Any]:
    """Write a shard. Returns its entry of the manifest, with its path as it is."""
    rows = make_rows(count, generator)
    write_table(path, pa.Table.from_pylist(rows, SCHEMA), stage_metadata("build_sequences", {}))
    return {
        "language": language,
        "path": path,
        "rows": count,
        "validation_rows": sum(row["validation"] for row in rows),
        "sha256": file_digest(path),
    }


def write_manifest(
    path: Path, shards: list[dict[str, Any]], tokenizer: Path, vocabulary: Path
) -> None:
    languages = {}
    for language in sorted({shard["language"] for shard in shards}):
        rows = sum(shard["rows"] for shard in shards if shard["language"] == language)
        languages[language] = {"sequences": rows, "weight": rows**0.7}
    write_json(
        path,
        {
            "version": 1,
            "tokenizer": {
                "digest": file_digest(tokenizer / "tokenizer.json"),
                "vocabulary_size": WORDS + 5,
            },
            "entity_vocabulary": {
                "digest": file_digest(vocabulary),
                "size": ENTITIES + len(SPECIAL_ENTITIES),
            },
            "alpha": 0.7,
            "languages": languages,
            "shards": [
                {**shard, "path": str(shard["path"].relative_to(path.parent))} for shard in shards
            ],
        },
    )


def arguments(
    world: dict[str, Path], work: Path, output: Path, settings: dict[str, Any]
) -> list[str]:
    """Command line of the step ``pretrain``."""
    return [
        "--settings", json.dumps({**SETTINGS, **settings}),
        "--manifest", str(world["manifest"]),
        "--vocabulary", str(world["vocabulary"]),
        "--base", str(world["base"]),
        "--work", str(work),
        "--output", str(output),
    ]  # fmt: skip
