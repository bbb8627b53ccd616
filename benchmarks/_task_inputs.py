"""Data and models for the benchmark of fine-tuning, made in the cache.

Real data of the mirror beside the repository when there is one, the miniature's otherwise.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import groupby
from pathlib import Path

from _bench import CACHE, ROOT

from mluke_core.io.sources import Source
from mluke_core.modeling.config import ModelConfig
from mluke_core.modeling.folder import write_model_folder
from mluke_core.modeling.initialization import random_model
from mluke_core.sequences.build_tokenizer import build_tokenizer
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks.conll_reader import DOCUMENT_START, read_sentences

FOLDER = CACHE / "finetuning"
MIRROR = ROOT.parent / "shared" / "mirror"
GITHUB = "raw.githubusercontent.com"
CONLL = f"{GITHUB}/teropa/nlp/master/resources/corpora/conll2002/ned.testa"
KBP37 = f"{GITHUB}/zhangdongxu/kbp37/master/dev.txt"
XQUAD = f"{GITHUB}/google-deepmind/xquad/master"
TOKENIZER = "huggingface.co/FacebookAI/xlm-roberta-base/resolve/main"
ENTITIES = 20_000
"""Rows of the models' entity tables."""


def mirror() -> Path:
    """Folder of the data as ``<host>/<path>``."""
    if MIRROR.is_dir():
        return MIRROR
    made = FOLDER / "miniature"
    if not (made / "SHA256SUMS").is_file():
        languages = ["ar", "de", "en", "es", "fr", "ja", "nl", "tr", "zh"]
        settings = {
            "seed": 42,
            "languages": languages,
            "dump_date": "20201201",
            "wikidata_date": "20201130",
        }
        script = ROOT / "workflow_scripts" / "make_miniature.py"
        command = [sys.executable, script, "--settings", json.dumps(settings), "--output", made]
        command += ["--gold", FOLDER / "gold"]
        subprocess.run([str(part) for part in command], check=True)
    return made


def tokenizer_folder() -> Path:
    """The XLM-R tokenizer of the data, as a folder of this project."""
    folder = FOLDER / f"tokenizer-{mirror().name}"
    if not folder.is_dir():
        files = {path.name: {"path": str(path)} for path in (mirror() / TOKENIZER).iterdir()}
        manifest = FOLDER / "tokenizer.json"
        manifest.parent.mkdir(parents=True, exist_ok=True)
        manifest.write_text(json.dumps({"source": "xlmr", "files": files}))
        build_tokenizer(Source(manifest), "sentencepiece", folder)
    return folder


def model_folder(layers: int, hidden_size: int, heads: int) -> Path:
    """A random LUKE model of a size, with ``ENTITIES`` entities."""
    tokenizer = tokenizer_folder()
    folder = FOLDER / f"luke-{layers}x{hidden_size}-{tokenizer.name}"
    if folder.is_dir():
        return folder
    loaded = Tokenizer.load(tokenizer)
    special = {"[PAD]": 0, "[UNK]": 1, "[MASK]": 2}
    titles = {f"en:Entity {number}": number for number in range(3, ENTITIES - 1)}
    vocabulary = {**special, **titles, "[MASK2]": ENTITIES - 1}
    config = ModelConfig(
        family="luke",
        vocabulary_size=loaded.vocabulary_size,
        hidden_size=hidden_size,
        layers=layers,
        heads=heads,
        intermediate_size=4 * hidden_size,
        position_count=514,
        pad_id=loaded.pad_id,
        bos_id=loaded.bos_id,
        eos_id=loaded.eos_id,
        entity_count=ENTITIES,
        entity_embedding_size=64,
        # Larger than at the start of a training, so that outputs differ from input to input.
        initializer_range=0.1,
    )
    weights = dict(random_model(config, seed=1).named_parameters())
    write_model_folder(
        folder, config, dict(weights), tokenizer, "benchmark\n", entity_vocabulary=vocabulary
    )
    return folder


def conll_file(sentences: int, longest_document: int = 300) -> Path:
    """Tagged sentences whose documents fit into one input, so that every system sees the same."""
    path = FOLDER / f"conll-{mirror().name}-{sentences}-{longest_document}"
    if path.is_file():
        return path
    tokenizer = Tokenizer.load(tokenizer_folder())
    lines: list[str] = []
    kept = 0
    examples = read_sentences(mirror() / CONLL).examples
    for _, group in groupby(examples, key=lambda sentence: sentence.document):
        tokens = longest_document + 1
        for sentence in group:
            length = sum(len(tokenizer.encode_with_spans(word, [])[0]) for word in sentence.words)
            if length > longest_document or kept == sentences:
                continue
            if tokens + length > longest_document:
                lines += [f"{DOCUMENT_START} O", ""]
                tokens = 0
            tokens += length
            kept += 1
            tags = ["O"] * len(sentence.words)
            for first, last, kind in sentence.spans:
                tags[first:last] = [f"B-{kind}", *[f"I-{kind}"] * (last - first - 1)]
            lines += [f"{word} {tag}" for word, tag in zip(sentence.words, tags, strict=True)]
            lines.append("")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def relation_file(sentences: int) -> Path:
    """The first sentences of KBP-37's development set."""
    path = FOLDER / f"relations-{mirror().name}-{sentences}"
    if not path.is_file():
        records = (mirror() / KBP37).read_text(encoding="utf-8").split("\n\n")
        records = [record for record in records if record.strip()]
        path.write_text("\n\n".join(records[:sentences]), encoding="utf-8")
    return path


def question_files() -> list[Path]:
    """XQuAD in every language that there is."""
    return sorted((mirror() / XQUAD).glob("xquad.*.json"))
