"""How fast inputs of the tasks are made and predicted, beside other people's ways to do it.

Names: candidate spans of CoNLL-2002 Dutch with their document, made and classified, against
`LukeForEntitySpanClassification` and its tokenizer. Relations: sentences of KBP-37 against
`LukeForEntityPairClassification`. Questions: inputs of XQuAD with entities, against the authors'
way (every word of every question's context on its own, the tokenizer written in Python). Same
weights, same inputs, one core, CPU seconds. The rest: how much of an evaluation of XQuAD in all
languages is the forward pass.

The bars are those of the model of scale `sample` (2 x 128). At 6 x 384 there is none, because at
that size both sides spend their time in the same matrix products: the rows that say so time the
products of our layers alone, over the same inputs. What is left beside them is all that could still
be saved. The products themselves cannot: words attend to the entities of their input, so the words
of a document have to be encoded again for every sentence and every 128 spans, as the peer does.

`--gpu` trains a model of base size on relations and names for some minutes instead, and records
words and entities per second and the utilisation of the device. It has only been run on a CPU so
far, at a tiny size (`--gpu --quick`): there are no figures of a GPU.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _bench import ROOT, Row, main, peer_python, run_process

sys.path.insert(0, str(ROOT))

NAME = "finetuning-gpu" if "--gpu" in sys.argv else "finetuning"
QUICK_MINUTES = 0.05
SMALL, MEDIUM = (2, 128, 4), (6, 384, 12)
"""Layers, hidden size, heads: the model of scale `sample`, and one with ten times its work."""
PACKAGES = ("torch", "transformers", "tokenizers", "sentencepiece")
SLOW_TOKENIZER = ("transformers==4.57.1", "sentencepiece==0.2.1", "protobuf==6.33.0")
QA_OPTIONS = {
    "maximum_length": 384,
    "stride": 128,
    "maximum_question_tokens": 64,
    "maximum_answer_tokens": 30,
    "beam": 20,
    "maximum_entities": 128,
}
NER_OPTIONS = {
    "maximum_length": 510,
    "maximum_mention_tokens": 16,
    "maximum_spans": 128,
    "entity_features": "token+entity",
}


def run(arguments: argparse.Namespace) -> list[Row]:
    import torch

    if arguments.gpu:
        if not (torch.cuda.is_available() or arguments.quick):
            sys.exit("--gpu: no CUDA device. With --quick it runs at a tiny size on the CPU.")
        from _finetuning_gpu import gpu_rows

        return gpu_rows(
            make_task, QUICK_MINUTES if arguments.quick else arguments.minutes, arguments.quick
        )
    torch.set_num_threads(1)
    quick = arguments.quick
    rows = [
        *names(SMALL, 60 if quick else 300, ">= 3"),
        *relations(SMALL, 250 if quick else 1500, ">= 2"),
    ]
    if not quick:
        rows += [*names(MEDIUM, 40), *relations(MEDIUM, 150)]
    rows.append(question_inputs(250 if quick else 1190, arguments.peer_path))
    rows.append(evaluation(SMALL, 12 if quick else 60))
    return rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gpu", action="store_true", help="train a model of base size on a CUDA device instead"
    )
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="with --gpu: of each task (default 10)"
    )


def tuned(task: Any, folder: Path, features: Sequence[Any], head: Any) -> Any:
    """The task's model with the given head, ready to predict."""
    from mluke_core.tasks.model import TaskModel, load_backbone
    from mluke_core.tasks.tables import Tables

    tables = Tables.of(features)
    model = TaskModel(task, load_backbone(folder, task, tables), tables).eval()
    model.head = head
    return model


def make_task(name: str, folder: Path, options: dict[str, Any], linker: Any = None) -> Any:
    from mluke_core.alignment.entity_vocabulary import EntityVocabulary
    from mluke_core.modeling.config import read_config
    from mluke_core.sequences.tokenizer import Tokenizer
    from mluke_core.tasks.registry import task_class

    return task_class(name)(
        options,
        "entity",
        Tokenizer.load(folder),
        read_config(folder).vocabulary_size,
        EntityVocabulary.from_json(folder / "entity_vocab.json"),
        linker,
    )


def names(size: tuple[int, int, int], sentences: int, bar: str = "") -> list[Row]:
    """Inputs, forward pass and decoding of named entity recognition."""
    from _task_inputs import conll_file, model_folder
    from _task_peers import classify, fresh_head, luke_model, luke_tokenizer

    from mluke_core.tasks.model import predict_scores

    folder = model_folder(*size)
    task = make_task("ner", folder, NER_OPTIONS)
    dataset = task.read(conll_file(sentences))
    task.learn_labels(dataset)
    head = fresh_head(3 * size[1], len(task.labels))
    # The pretrained rows are looked up outside the clock, for the peer they are in its model.
    model = tuned(task, folder, task.encode(dataset, training=False), head)
    start = time.process_time()
    features = task.encode(dataset, training=False)
    scores = predict_scores(model, features, "fp32", "names")
    ours = task.decode(dataset, features, scores)
    ours_seconds = time.process_time() - start

    inputs = _texts_with_spans(dataset, features)
    peer = luke_model(folder, "Span", head, ())
    tokenizer = luke_tokenizer(folder, "entity_span_classification", ())
    start = time.process_time()
    found = classify(peer, tokenizer, inputs)
    theirs = task.decode(dataset, features, [rows.numpy() for rows in found])
    peer_seconds = time.process_time() - start
    agree = sum(a.text == b.text for a, b in zip(ours, theirs, strict=True))
    spans = sum(len(feature.target) for feature in features)
    row = _row(
        f"named entities, {spans} spans of {len(ours)} sentences, {_size(size)}; "
        f"same predictions for {agree} of {len(ours)}",
        ours_seconds,
        peer_seconds,
        bar,
    )
    return [row] if bar else [row, _products("named entities", size, features, ours_seconds)]


def _texts_with_spans(dataset: Any, features: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    """Per input the text of the document, words apart by one space, and the spans' characters."""
    documents: dict[int, list[Any]] = {}
    for sentence in dataset.examples:
        documents.setdefault(sentence.document, []).append(sentence)
    inputs = []
    texts: dict[int, str] = {}
    starts: dict[str, int] = {}
    for number, sentences in documents.items():
        position = 0
        for sentence in sentences:
            starts[sentence.id] = position
            position += sum(len(word) + 1 for word in sentence.words)
        texts[number] = " ".join(word for sentence in sentences for word in sentence.words)
    for feature in features:
        sentence = dataset.examples[feature.source]
        begins = [starts[sentence.id]]
        for word in sentence.words:
            begins.append(begins[-1] + len(word) + 1)
        spans = [(begins[a], begins[b] - 1) for a, b in feature.extra[:, :2].tolist()]
        inputs.append((texts[sentence.document], spans))
    return inputs


def relations(size: tuple[int, int, int], sentences: int, bar: str = "") -> list[Row]:
    """Inputs, forward pass and decoding of relation classification."""
    from _task_inputs import model_folder, relation_file
    from _task_peers import classify, fresh_head, luke_model, luke_tokenizer

    from mluke_core.tasks.model import predict_scores, seed_word
    from mluke_core.tasks.relation import MARKER_SEEDS

    folder = model_folder(*size)
    task = make_task("relation", folder, {"maximum_length": 510})
    dataset = task.read(relation_file(sentences))
    # The peer refuses an empty mention.
    dataset.examples = [
        e for e in dataset.examples if e.head[0] < e.head[1] and e.tail[0] < e.tail[1]
    ]
    task.learn_labels(dataset)
    head = fresh_head(2 * size[1], len(task.labels))
    model = tuned(task, folder, task.encode(dataset, training=False), head)
    start = time.process_time()
    features = task.encode(dataset, training=False)
    scores = predict_scores(model, features, "fp32", "relations")
    ours = task.decode(dataset, features, scores)
    ours_seconds = time.process_time() - start

    seeds = [seed_word(task.tokenizer, token) for token in MARKER_SEEDS]
    peer = luke_model(folder, "Pair", head, seeds)
    tokenizer = luke_tokenizer(folder, "entity_pair_classification", MARKER_SEEDS)
    inputs = [(example.text, [example.head, example.tail]) for example in dataset.examples]
    start = time.process_time()
    found = classify(peer, tokenizer, inputs)
    theirs = task.decode(dataset, features, [rows.log_softmax(-1).numpy() for rows in found])
    peer_seconds = time.process_time() - start
    same = [
        tokenizer(text, entity_spans=spans)["input_ids"] == feature.word_ids.tolist()
        for (text, spans), feature in zip(inputs, features, strict=True)
    ]
    agree = sum(a.text == b.text for a, b, equal in zip(ours, theirs, same, strict=True) if equal)
    row = _row(
        f"relations, {len(ours)} sentences, {_size(size)}; same predictions for {agree} of the "
        f"{sum(same)} with the same tokens",
        ours_seconds,
        peer_seconds,
        bar,
    )
    return [row] if bar else [row, _products("relations", size, features, ours_seconds)]


def _products(
    name: str, size: tuple[int, int, int], features: Sequence[Any], seconds: float
) -> Row:
    """How much of ``seconds`` the matrix products of the layers take, done for nothing else.

    Four of hidden size and two of four times that in every layer; the last layer needs keys and
    values of all rows alone.
    """
    import torch
    import torch.nn.functional as F

    from mluke_core.tasks.model import INFERENCE_ROWS

    layers, hidden, _ = size
    square, wide = torch.randn(hidden, hidden), torch.randn(4 * hidden, hidden)
    narrow = wide.T.contiguous()
    parts = torch.randn(sum(feature.length for feature in features), hidden)
    start = time.process_time()
    with torch.inference_mode():
        for part in parts.split(INFERENCE_ROWS["cpu"]):
            for _ in range(4 * (layers - 1) + 2):
                F.linear(part, square)
            for _ in range(layers - 1):
                F.linear(F.linear(part, wide), narrow)
    products = time.process_time() - start
    return Row(
        f"{name}, {_size(size)}: share of the layers' matrix products",
        f"{products:.2f} s of {seconds:.2f} s",
        "",
        products / seconds,
        "",
    )


class DictionaryLinker:
    """Finds the mentions of one dictionary in every text."""

    def __init__(self, ids: dict[str, int]) -> None:
        from mluke_core.alignment.detection import MentionDetector

        self.used: Counter[str] = Counter()
        self._ids = ids
        self._detector = MentionDetector({mention: mention for mention in ids}, "en")

    def find(self, text: str, language: str, title: str, title_language: str) -> list[Any]:
        from mluke_core.tasks.linking import Mention

        return [
            Mention(found.start, found.end, self._ids[found.title])
            for found in self._detector.detect(text)
        ]


def question_inputs(questions: int, peer_path: Path | None) -> Row:
    """Inputs of question answering with entities; no model."""
    from _task_inputs import FOLDER, model_folder, question_files

    from mluke_core.io.files import read_json

    path = next(path for path in question_files() if path.name == "xquad.en.json")
    content = _first(read_json(path), questions)
    chosen = FOLDER / "questions.json"
    chosen.write_text(json.dumps(content), encoding="utf-8")
    text = " ".join(p["context"] for article in content["data"] for p in article["paragraphs"])
    named = re.findall(r"[A-Z]\w+(?: [A-Z]\w+){1,3}", text)
    mentions = {name.lower(): 3 + number for number, name in enumerate(dict.fromkeys(named))}
    folder = model_folder(*SMALL)
    task = make_task("qa", folder, QA_OPTIONS, DictionaryLinker(mentions))
    _load(task)
    dataset = task.read(chosen)
    start = time.process_time()
    features = task.encode(dataset, training=False)
    ours_seconds = time.process_time() - start

    names_file, output = FOLDER / "mentions.json", FOLDER / "windows.json"
    names_file.write_text(json.dumps(mentions), encoding="utf-8")
    python = peer_python("transformers-4", SLOW_TOKENIZER, peer_path)
    script = ROOT / "benchmarks" / "_slow_questions.py"
    sentencepiece = folder / "sentencepiece.bpe.model"
    run_process([python, script, chosen, sentencepiece, names_file, output])
    peer = json.loads(output.read_text())
    theirs = Counter(tuple(window) for window in peer["windows"])
    same = (Counter(tuple(feature.word_ids.tolist()) for feature in features) & theirs).total()
    entities = sum(len(feature.entity_ids) for feature in features)
    return _row(
        f"question inputs, {len(dataset.examples)} questions; same words in {same} of "
        f"{len(features)} windows, {entities} entities (peer {peer['entities']})",
        ours_seconds,
        peer["seconds"],
        ">= 5",
    )


def _load(task: Any) -> None:
    """Read the tokenizer's files and make tables, which wait for the first call otherwise."""
    task.tokenizer.encode("x")
    task.tokenizer.encode_with_spans("x", [])
    task.linker.find("x", "en", "", "en")


def _first(content: dict[str, Any], questions: int) -> dict[str, Any]:
    """The first questions of a file in the SQuAD format."""
    articles, left = [], questions
    for article in content["data"]:
        paragraphs = []
        for paragraph in article["paragraphs"]:
            if left > 0:
                paragraphs.append({**paragraph, "qas": paragraph["qas"][:left]})
                left -= len(paragraph["qas"])
        if paragraphs:
            articles.append({**article, "paragraphs": paragraphs})
    return {**content, "data": articles}


def evaluation(size: tuple[int, int, int], questions: int) -> Row:
    """Reading, inputs, forward pass, answers and scores of XQuAD in every language."""
    from _task_inputs import FOLDER, model_folder, question_files
    from _task_peers import fresh_head

    from mluke_core.io.files import read_json
    from mluke_core.metrics import squad
    from mluke_core.tasks.model import predict_scores

    folder = model_folder(*size)
    paths = []
    for path in question_files():
        paths.append(FOLDER / path.name)
        paths[-1].write_text(json.dumps(_first(read_json(path), questions)), encoding="utf-8")
    task = make_task("qa", folder, QA_OPTIONS, DictionaryLinker({"the first": 3, "of the": 4}))
    _load(task)
    every = [feature for path in paths for feature in task.encode(task.read(path), training=False)]
    model = tuned(task, folder, every, fresh_head(size[1], 2))
    clock = _ForwardClock(model)
    start = time.process_time()
    for path in paths:
        dataset = task.read(path)
        features = task.encode(dataset, training=False)
        scores = predict_scores(model, features, "fp32", path.name)
        predictions = task.decode(dataset, features, scores)
        squad.evaluate(
            {prediction.example_id: prediction.text for prediction in predictions},
            {question.id: question.texts for question in dataset.examples},
        )
    whole = time.process_time() - start
    return Row(
        f"XQuAD in {len(paths)} languages, {questions} questions each, {_size(size)}: share of the "
        "forward pass",
        f"{clock.seconds:.2f} s of {whole:.2f} s",
        "",
        clock.seconds / whole,
        ">= 0.8",
    )


class _ForwardClock:
    """CPU seconds spent in the encoder."""

    def __init__(self, model: Any) -> None:
        self.seconds = 0.0
        self._start = 0.0
        model.encoder.register_forward_pre_hook(self._begin)
        model.encoder.register_forward_hook(self._end)

    def _begin(self, *arguments: Any) -> None:
        self._start = time.process_time()

    def _end(self, *arguments: Any) -> None:
        self.seconds += time.process_time() - self._start


def _size(size: tuple[int, int, int]) -> str:
    return f"model {size[0]} x {size[1]}"


def _row(name: str, ours: float, peer: float, bar: str) -> Row:
    return Row(name, f"{ours:.2f} s", f"{peer:.2f} s", peer / ours, bar)


if __name__ == "__main__":
    assert __doc__
    sys.exit(main(NAME, __doc__, run, PACKAGES, add_arguments))
