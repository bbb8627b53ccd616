"""Score your own predictions as the official scripts do, without the rest of the project.

    python -m mluke_core.metrics squad predictions.json xquad.de.json
    python -m mluke_core.metrics mlqa predictions.json gold.json --language zh
    python -m mluke_core.metrics relx predictions.json RELX_tr.txt
    python -m mluke_core.metrics conll predictions.json esp.testb

Predictions are one JSON object: question id to answer (squad, mlqa), record id to label (relx),
number of the sentence to a list of [first word, word after the last, type] (conll). Scores go to
standard output in the form of the official script; what is missing is named on standard error.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mluke_core.errors import DataError, MlukeError
from mluke_core.io.files import read_json
from mluke_core.metrics import mlqa, relx, spans, squad
from mluke_core.metrics.spans import Span

NAMED = 5
"""How many missing or unknown ids are named; the count is always whole."""


def main(argv: Sequence[str] | None = None) -> int:
    """Print the scores; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m mluke_core.metrics",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("metric", choices=METRICS, help="whose rules")
    parser.add_argument("predictions", type=Path, help="JSON object: id to prediction")
    parser.add_argument("gold", type=Path, help="file of the data set")
    parser.add_argument(
        "--language", default="en", help="mlqa: language of the contexts (default: en)"
    )
    parser.add_argument(
        "--labels",
        type=Path,
        help="relx: KBP-37 file whose relations are averaged over (default: those of the gold)",
    )
    arguments = parser.parse_args(argv)
    try:
        print(METRICS[arguments.metric](arguments))
    except MlukeError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    return 0


def read_answers(path: Path, gold_ids: Iterable[str], kind: type) -> dict[str, Any]:
    """The predictions of a JSON object; ids that lack or are unknown are named on standard error.

    Raises:
        DataError: no or another kind of file, or a prediction that is no ``kind``.
    """
    answers = read_json(path, given=True)
    if not isinstance(answers, dict):
        raise DataError(f"{path}: expected a JSON object of id to prediction.")
    for key, answer in answers.items():
        if not isinstance(answer, kind):
            raise DataError(
                f"{path}: the prediction of '{key}' is {answer!r:.60}; expected a "
                f"{'list' if kind is list else 'text'}."
            )
    known = dict.fromkeys(gold_ids)
    _warn("examples without a prediction count as wrong", [i for i in known if i not in answers])
    _warn("predictions of unknown ids are ignored", [i for i in answers if i not in known])
    return answers


def _warn(what: str, ids: Sequence[str]) -> None:
    if ids:
        named = ", ".join(ids[:NAMED]) + (", …" if len(ids) > NAMED else "")
        print(f"{len(ids)} {what}: {named}", file=sys.stderr)


def score_squad(arguments: argparse.Namespace) -> str:
    """Exact match and F1 as the SQuAD v1.1 script prints them."""
    return _score_answers(arguments, squad.evaluate)


def score_mlqa(arguments: argparse.Namespace) -> str:
    """Exact match and F1 as the MLQA script prints them."""
    return _score_answers(
        arguments, lambda answers, golds: mlqa.evaluate(answers, golds, arguments.language)
    )


def _score_answers(
    arguments: argparse.Namespace,
    evaluate: Callable[[Mapping[str, str], Mapping[str, Sequence[str]]], squad.AnswerScores],
) -> str:
    from mluke_core.tasks.squad_reader import read_questions

    dataset = read_questions(arguments.gold)
    for line in dataset.report.lines():
        print(f"{arguments.gold}: {line}", file=sys.stderr)
    golds = {question.id: question.texts for question in dataset.examples}
    scores = evaluate(read_answers(arguments.predictions, golds, str), golds)
    return json.dumps({"exact_match": scores.em, "f1": scores.f1})


def score_relx(arguments: argparse.Namespace) -> str:
    """Macro and micro F1, accuracy, and F1 of each relation."""
    from mluke_core.tasks.relation_reader import read_relations

    examples = read_relations(arguments.gold).examples
    golds = [example.label for example in examples]
    ids = [example.id for example in examples]
    answers = read_answers(arguments.predictions, ids, str)
    inventory = golds
    if arguments.labels:
        inventory = [example.label for example in read_relations(arguments.labels).examples]
    unknown = set(answers.values()) - {*inventory, *golds}
    _warn("predicted labels are not among those of the data", sorted(unknown))
    scores = relx.evaluate(
        golds,
        [answers.get(example, relx.NO_RELATION) for example in ids],
        relx.relations_of(inventory),
    )
    return json.dumps(
        {
            "macro_f1": scores.macro_f1,
            "micro_f1": scores.micro_f1,
            "accuracy": scores.accuracy,
            "relations": {name: counts.f1 for name, counts in scores.per_relation.items()},
        },
        ensure_ascii=False,
    )


def score_conll(arguments: argparse.Namespace) -> str:
    """The report of ``conlleval``."""
    from mluke_core.tasks.conll_reader import read_sentences

    sentences = read_sentences(arguments.gold).examples
    answers = read_answers(arguments.predictions, [s.id for s in sentences], list)
    found = [_spans(answers.get(s.id, []), len(s.words), s.id) for s in sentences]
    scores = spans.evaluate([sentence.spans for sentence in sentences], found)
    words = sum(len(sentence.words) for sentence in sentences)
    right = 0
    for sentence, predicted in zip(sentences, found, strict=True):
        tags = (
            spans.tags_of_spans(part, len(sentence.words)) for part in (sentence.spans, predicted)
        )
        right += sum(gold == guess for gold, guess in zip(*tags, strict=True))
    return spans.conlleval_report(scores, words, right)


def _spans(answer: list[Any], words: int, sentence: str) -> list[Span]:
    try:
        found = [(int(first), int(last), str(kind)) for first, last, kind in answer]
    except (TypeError, ValueError):
        raise DataError(
            f"sentence {sentence}: {answer!r:.60} is not a list of spans such as [[0, 2, 'PER']]."
        ) from None
    for first, last, _ in found:
        if not 0 <= first < last <= words:
            raise DataError(f"sentence {sentence} has {words} words, but a span [{first}, {last}].")
    return found


METRICS: dict[str, Callable[[argparse.Namespace], str]] = {
    "squad": score_squad,
    "mlqa": score_mlqa,
    "relx": score_relx,
    "conll": score_conll,
}

if __name__ == "__main__":
    sys.exit(main())
