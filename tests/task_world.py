"""Small data sets in their real formats and tiny models, to fine-tune on in a second or two."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

from mluke_core.io.sources import Source
from mluke_core.modeling.config import ModelConfig
from mluke_core.modeling.folder import write_model_folder
from mluke_core.modeling.initialization import random_model
from mluke_core.sequences.build_tokenizer import build_tokenizer
from mluke_core.sequences.tokenizer import Tokenizer

PEOPLE = ["Ada", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hedy"]
PLACES = ["Paris", "Rome", "Oslo", "Bern", "Lima", "Cairo", "Riga", "Kyoto"]
VERBS = {"was born in": "per:born", "died in": "per:died", "works in": "per:work"}
FILLER = "On Monday the old teacher said that everything is fine here , and we all laughed ."
ENTITIES = {"en": ["Ada", "Paris", "Rome", "Oslo"], "de": ["Ada", "Paris", "Rom", "Oslo"]}


def write_source(folder: Path, name: str, files: dict[str, str | bytes]) -> Path:
    """Write files and their manifest; returns the manifest."""
    entries = {}
    for member, content in files.items():
        path = folder / name / member
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        entries[member] = {"path": str(path), "bytes": path.stat().st_size}
    manifest = folder / f"{name}.json"
    manifest.write_text(json.dumps({"source": name, "files": entries}), encoding="utf-8")
    return manifest


def relations(count: int, seed: int) -> str:
    """KBP-37's format: the verb and the order of the mentions decide the label."""
    chosen = random.Random(seed)
    records = []
    for number in range(count):
        person, place = chosen.choice(PEOPLE), chosen.choice(PLACES)
        verb = chosen.choice([*VERBS, "and"])
        if chosen.random() < 0.5:
            text, direction = f"<e1> {person} </e1> {verb} <e2> {place} </e2>", "(e1,e2)"
        else:
            text, direction = f"<e2> {person} </e2> {verb} <e1> {place} </e1>", "(e2,e1)"
        label = VERBS[verb] + direction if verb in VERBS else "no_relation"
        records.append(f'{number}\t"{text} ."\n{label}\n\n\n')
    return "".join(records)


def sentences(count: int, seed: int, iob1: bool = False) -> str:
    """CoNLL's format with four columns: people and places among other words."""
    chosen = random.Random(seed)
    lines = ["-DOCSTART- -X- -X- O", ""]
    for number in range(count):
        if number % 5 == 4:
            lines += ["-DOCSTART- -X- -X- O", ""]
        person, place = chosen.choice(PEOPLE), chosen.choice(PLACES)
        for word in f"{person} {chosen.choice(list(VERBS))} {place} .".split():
            kind = "PER" if word in PEOPLE else "LOC" if word in PLACES else ""
            tag = f"{'I' if iob1 else 'B'}-{kind}" if kind else "O"
            lines.append(f"{word} X X {tag}")
        lines.append("")
    return "\n".join(lines)


def questions(count: int, seed: int) -> str:
    """SQuAD's format: a person's place, asked in the words of the sentence."""
    chosen = random.Random(seed)
    paragraphs = []
    for number in range(count):
        people, places = chosen.sample(PEOPLE, 2), chosen.sample(PLACES, 2)
        facts = [f"{who} was born in {where} ." for who, where in zip(people, places, strict=True)]
        context = " ".join(facts)
        answer = {"text": places[0], "answer_start": context.index(places[0])}
        asked = f"{people[0]} was born in"
        qa = {"id": f"q{number}", "question": asked, "answers": [answer]}
        paragraphs.append({"context": context, "qas": [qa]})
    return squad_json(paragraphs)


def squad_json(paragraphs: list[dict[str, Any]], title: str = "Some_people") -> str:
    return json.dumps({"version": "1.1", "data": [{"title": title, "paragraphs": paragraphs}]})


def make_tokenizer(folder: Path) -> Path:
    """A tokenizer folder in the XLM-R layout, trained on the words above."""
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    words = " ".join([*PEOPLE, *PLACES, *VERBS, FILLER])
    text = f"{words}\nÅrhus Kanada Japon 'n in ( ) \"\n" * 3
    (folder / "text.txt").write_text(text, encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"),
        model_prefix=str(folder / "sentencepiece.bpe"),
        vocab_size=160,
        hard_vocab_limit=False,
        character_coverage=1.0,
        normalization_rule_name="nmt_nfkc",
        user_defined_symbols=["@", "#"],
        minloglevel=2,
    )
    model = (folder / "sentencepiece.bpe.model").read_bytes()
    manifest = write_source(folder / "source", "xlmr", {"sentencepiece.bpe.model": model})
    build_tokenizer(Source(manifest), "sentencepiece", folder / "tokenizer")
    return folder / "tokenizer"


def entity_vocabulary() -> dict[str, int]:
    """``entity_vocab.json`` in a released model's manner, with its own order of special ids."""
    ids = {"[MASK]": 0, "[PAD]": 1, "[UNK]": 2}
    for language, titles in ENTITIES.items():
        ids |= {f"{language}:{title}": 3 + number for number, title in enumerate(titles)}
    return ids | {"[MASK2]": 3 + len(ENTITIES["en"])}


def make_model(folder: Path, tokenizer_folder: Path, luke: bool = True, seed: int = 0) -> Path:
    """A random model folder, with entity embeddings when ``luke``."""
    tokenizer = Tokenizer.load(tokenizer_folder)
    config = ModelConfig(
        family="xlm-roberta",
        vocabulary_size=tokenizer.vocabulary_size,
        hidden_size=32,
        layers=2,
        heads=4,
        intermediate_size=64,
        position_count=514,
        pad_id=tokenizer.pad_id,
        bos_id=tokenizer.bos_id,
        eos_id=tokenizer.eos_id,
        initializer_range=0.1,
    )
    vocabulary = entity_vocabulary() if luke else None
    if vocabulary:
        config = dataclasses.replace(
            config,
            family="luke",
            entity_count=max(vocabulary.values()) + 1,
            entity_embedding_size=16,
        )
    weights: dict[str, Any] = dict(random_model(config, seed).named_parameters())
    write_model_folder(
        folder, config, weights, tokenizer_folder, "card\n", entity_vocabulary=vocabulary
    )
    return folder
