"""A small mLAMA, MLQA and RELX in their real formats, and tiny models to probe with them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mluke_core.io.sources import Source
from mluke_core.modeling.config import ModelConfig
from mluke_core.modeling.folder import write_model_folder
from mluke_core.modeling.initialization import random_model
from mluke_core.sequences.build_tokenizer import build_tokenizer
from mluke_core.sequences.tokenizer import Tokenizer

TEXT = """
Paris is the capital of France . Rome is the capital of Italy . Ankara is the capital of Turkey .
The official language of Switzerland is German , French and Italian . Berlin was founded long ago .
Ada Lovelace was born in London . Yaşar Kemal Türkiye'de doğdu . İstanbul büyük bir şehirdir .
Is é Páras príomhchathair na Fraince . Is í an Róimh príomhchathair na hIodáile .
guitar piano violin trumpet plays music ; The band was founded in Sheffield , New York City .
"""

TEMPLATES = {
    "en": {
        "P36": "The capital of [X] is [Y] .",
        "P37": "The official language of [X] is [Y] .",
        "P740": "[X] was founded in [Y] .",
        "P1303": "[X] plays [Y] .",
        "P54": "[X] plays with [Y] .",
    },
    # The object stands before the subject, as in the Irish templates of mLAMA.
    "ga": {"P36": "Is é [Y] príomhchathair [X] ."},
    "tr": {"P36": "[X] ülkesinin başkenti [Y] şehridir .", "P17": "[Y] içinde bulunur."},
}
# (subject, subject id, object): two official languages, one name for two subjects.
TRIPLES = {
    "en": {
        "P36": [("France", "Q142", "Paris"), ("Italy", "Q38", "Rome"), ("Turkey", "Q43", "Ankara")],
        "P37": [
            ("Switzerland", "Q39", "German"),
            ("Switzerland", "Q39", "French"),
            ("Switzerland", "Q39", "Italian"),
            ("Italy", "Q38", "Italian"),
        ],
        "P740": [
            ("The Band", "Q1", "Sheffield"),
            ("The Band", "Q2", "Sheffield"),
            ("Another Band", "Q3", "New York City"),
            ("Third Band", "Q4", "London"),
        ],
        "P1303": [("Ada Lovelace", "Q7259", "guitar")],
        "P999": [("Paris", "Q90", "France")],
        "date_of_birth": [],
    },
    "ga": {"P36": [("na Fraince", "Q142", "Páras"), ("na hIodáile", "Q38", "an Róimh")]},
    "tr": {"P36": [("Türkiye", "Q43", "Ankara"), ("İtalya", "Q38", "roma")]},
}
CANDIDATES = {
    "en": {
        "P36": ["Paris", "Rome", "Ankara", "New York City", "Paris"],
        "P37": ["German", "French", "Italian", "Turkish"],
        "P740": ["Sheffield", "London", "Paris", "New York City", "istanbul"],
        "P1303": ["guitar", "piano", "violin"],
    },
    "ga": {"P36": ["Páras", "an Róimh", "Ancara"]},
    "tr": {"P36": ["Ankara", "roma", "istanbul", "Paris"]},
}
# Entities of the run's vocabulary: title in each language.
ENTITIES = [
    {"en": "France", "ga": "na Fraince", "tr": "Fransa"},
    {"en": "Paris", "ga": "Páras", "tr": "Paris"},
    {"en": "Rome", "ga": "An Róimh", "tr": "Roma"},
    {"en": "Istanbul", "tr": "İstanbul"},
    {"en": "Italy", "tr": "İtalya"},
    {"en": "Guitar", "tr": "Gitar"},
    {"en": "Italian", "tr": "İtalyanca"},
    {"en": "New York City", "tr": "New York"},
    {"en": "Piano", "tr": "Piyano"},
    {"en": "Sheffield", "tr": "Sheffield"},
    {"en": "The Band", "tr": "The Band"},
]

MLQA = {
    "en": [
        ("a", "Ada Lovelace was born in London .", "London"),
        ("b", "Paris is the capital of France .", "Paris"),
        ("c", "Rome is the capital of Italy .", "Rome"),
        ("only-en", "Berlin was founded long ago .", "long ago"),
    ],
    "de": [
        ("c", "Rome ist die Hauptstadt von Italien .", "Rome"),
        ("a", "Ada Lovelace wurde in London geboren .", "London"),
        ("only-de", "Bern ist eine Stadt .", "Stadt"),
        ("b", "Paris ist die Hauptstadt von Frankreich .", "Paris"),
    ],
}
RELX = {
    "en": [
        ("1", "<e1> Ada Lovelace </e1> was born in <e2> London </e2>.", "per:city_of_birth(e1,e2)"),
        ("2", "<e2> Paris </e2> is the capital of <e1> France </e1>.", "no_relation"),
        ("3", "The <e1> band </e1> was founded in <e2> Sheffield </e2>.", "org:founded(e2,e1)"),
        ("4", "<e1> Rome </e1> is in <e2> Italy </e2>.", "no_relation"),
    ],
    "de": [
        ("1", "<e1> Ada Lovelace </e1> wurde in <e2> London </e2> geboren.", "no_relation"),
        ("2", "<e2> Paris </e2> ist die Hauptstadt von <e1> Frankreich </e1>.", "no_relation"),
        ("3", "Die <e1> Band </e1> kam aus <e2> Sheffield </e2>.", "no_relation"),
        ("4", "<e1> Rom </e1> liegt in <e2> Italien </e2>.", "no_relation"),
    ],
}


def write_source(folder: Path, name: str, files: dict[str, str]) -> Path:
    """Write files and their manifest; returns the manifest."""
    entries = {}
    for member, content in files.items():
        path = folder / name / member
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        entries[member] = {"path": str(path), "bytes": path.stat().st_size}
    manifest = folder / f"{name}.json"
    manifest.write_text(json.dumps({"source": name, "files": entries}), encoding="utf-8")
    return manifest


def mlama_files() -> dict[str, str]:
    files = {}
    for language, templates in TEMPLATES.items():
        files[f"mlama1.1/{language}/templates.jsonl"] = "".join(
            json.dumps({"relation": relation, "template": template}) + "\n"
            for relation, template in templates.items()
        )
        for relation, triples in TRIPLES[language].items():
            files[f"mlama1.1/{language}/{relation}.jsonl"] = "".join(
                json.dumps(
                    {
                        "sub_uri": uri,
                        "obj_uri": "Q0",
                        "sub_label": subject,
                        "obj_label": gold,
                        "uuid": f"{relation}-{number}",
                        "lineid": number,
                    }
                )
                + "\n"
                for number, (subject, uri, gold) in enumerate(triples)
            )
    return files


def write_mlama(folder: Path) -> tuple[Source, list[Source]]:
    data = write_source(folder, "mlama", mlama_files())
    lists = {
        f"{language}.json": json.dumps(
            {relation: {"objects": names} for relation, names in relations.items()}
        )
        for language, relations in CANDIDATES.items()
    }
    trex = write_source(folder, "trex", lists)
    googlere = write_source(
        folder, "googlere", {"en.json": json.dumps({"date_of_birth": {"objects": ["1815"]}})}
    )
    return Source(data), [Source(trex), Source(googlere)]


def write_mlqa(folder: Path) -> Source:
    files = {}
    for language, items in MLQA.items():
        paragraphs = [
            {
                "context": context,
                "qas": [
                    {
                        "id": question,
                        "question": "?",
                        "answers": [{"text": text, "answer_start": context.index(text)}],
                    }
                ],
            }
            for question, context, text in items
        ]
        files[f"MLQA_V1/dev/dev-context-{language}-question-{language}.json"] = json.dumps(
            {"version": "1.0", "data": [{"title": "t", "paragraphs": paragraphs}]}
        )
    return Source(write_source(folder, "mlqa", files))


def write_relx(folder: Path) -> Source:
    files = {
        f"RELX_{language}.txt": "".join(
            f'{number}\t"{sentence}"\n{label}\n\n\n' for number, sentence, label in items
        )
        for language, items in RELX.items()
    }
    return Source(write_source(folder, "relx", files))


def write_vocabulary(path: Path) -> None:
    """``entities/vocabulary.parquet`` of :data:`ENTITIES`."""
    special = [[("", name)] for name in ("[PAD]", "[UNK]", "[MASK]")]
    rows = special + [list(titles.items()) for titles in ENTITIES]
    table = pa.table(
        {
            "entity_id": pa.array(range(len(rows)), pa.int32()),
            "qid": pa.array([None] * 3 + [1000 + i for i in range(len(ENTITIES))], pa.int64()),
            "titles": pa.array(
                [[{"language": code, "title": title} for code, title in row] for row in rows],
                pa.list_(pa.struct([("language", pa.string()), ("title", pa.string())])),
            ),
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def entity_vocabulary(leave_out: tuple[str, ...] = ()) -> dict[str, int]:
    """``entity_vocab.json`` in a released model's manner: ``[MASK]`` first, ids of its own."""
    ids = {"[MASK]": 0, "[PAD]": 1, "[UNK]": 2}
    for number, titles in enumerate(reversed(ENTITIES)):
        for language, title in titles.items():
            if f"{language}:{title}" not in leave_out:
                ids[f"{language}:{title}"] = 3 + number
    return ids | {"[MASK2]": 3 + len(ENTITIES)}


def train_sentencepiece(folder: Path) -> Path:
    """A tokenizer folder in the XLM-R layout, trained on :data:`TEXT`."""
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"),
        model_prefix=str(folder / "sentencepiece.bpe"),
        vocab_size=180,
        hard_vocab_limit=False,
        character_coverage=1.0,
        normalization_rule_name="nmt_nfkc",
        user_defined_symbols=["@", "#"],
        minloglevel=2,
    )
    model = folder / "sentencepiece.bpe.model"
    manifest = folder / "source.json"
    manifest.write_text(
        json.dumps({"source": "xlmr", "files": {model.name: {"path": str(model), "bytes": 1}}})
    )
    build_tokenizer(Source(manifest), "sentencepiece", folder / "tokenizer")
    return folder / "tokenizer"


def make_wordpiece(folder: Path) -> Path:
    """A BERT tokenizer folder that knows the letters and some words of :data:`TEXT`."""
    letters = sorted({letter for letter in TEXT if not letter.isspace()})
    words = ["Paris", "Rome", "capital", "The", "of", "is", "the", "was", "New", "York", "City"]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, "-", *words]
    pieces += [f"##{letter}" for letter in letters if letter.isalpha()]
    manifest = write_source(folder, "bert", {"vocab.txt": "\n".join(dict.fromkeys(pieces)) + "\n"})
    build_tokenizer(Source(manifest), "wordpiece", folder / "tokenizer")
    return folder / "tokenizer"


def make_model(
    folder: Path, tokenizer_folder: Path, vocabulary: dict[str, int] | None = None, seed: int = 0
) -> Path:
    """A random model folder whose scores differ clearly; a LUKE model with ``vocabulary``."""
    tokenizer = Tokenizer.load(tokenizer_folder)
    bert = tokenizer.token_of(tokenizer.mask_id) == "[MASK]"
    config = ModelConfig(
        family="bert" if bert else "xlm-roberta",
        vocabulary_size=tokenizer.vocabulary_size,
        hidden_size=32,
        layers=2,
        heads=4,
        intermediate_size=64,
        position_count=96,
        type_count=2 if bert else 1,
        pad_id=tokenizer.pad_id,
        bos_id=tokenizer.bos_id,
        eos_id=tokenizer.eos_id,
        initializer_range=0.3,
    )
    if vocabulary is not None:
        config = dataclasses.replace(
            config,
            family="luke",
            entity_count=max(vocabulary.values()) + 1,
            entity_embedding_size=16,
        )
    model = random_model(config, seed)
    weights: dict[str, Any] = dict(model.named_parameters())
    write_model_folder(
        folder, config, weights, tokenizer_folder, "card\n", entity_vocabulary=vocabulary
    )
    return folder


@dataclasses.dataclass(frozen=True)
class ProbeWorld:
    """Data and models in one folder."""

    folder: Path
    data: Source
    candidates: list[Source]
    vocabulary: Path
    words: Path
    bert: Path
    luke: Path


def build_world(folder: Path) -> ProbeWorld:
    data, candidates = write_mlama(folder / "sources")
    vocabulary = folder / "entities" / "vocabulary.parquet"
    write_vocabulary(vocabulary)
    xlmr = train_sentencepiece(folder / "xlmr")
    bert = make_wordpiece(folder / "bert")
    return ProbeWorld(
        folder,
        data,
        candidates,
        vocabulary,
        words=make_model(folder / "models" / "words", xlmr),
        bert=make_model(folder / "models" / "bert", bert),
        luke=make_model(folder / "models" / "luke", xlmr, entity_vocabulary()),
    )
