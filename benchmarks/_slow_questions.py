"""Inputs of question answering as the authors make them, re-stated from what is known of it.

Run by an interpreter with ``transformers`` 4, the last with the tokenizer written in Python, and
without this project. For every question, context and question are cut at white space and every word
is tokenized on its own; mentions are looked up word by word, the longest first; windows are built
as lists, with the word behind every token and the window that shows it best, as the recipe of SQuAD
has it; the positions of every mention are padded to 30.

    python _slow_questions.py questions.json sentencepiece.bpe.model mentions.json windows.json
"""

import json
import sys
import time
from pathlib import Path

LENGTH, STRIDE, QUESTION, MENTION_WORDS, MENTION_POSITIONS, ENTITIES = 384, 128, 64, 10, 30, 128


def words_of(text: str) -> tuple[list[str], list[int]]:
    """Words and the character each begins at."""
    words: list[str] = []
    starts: list[int] = []
    inside = False
    for position, character in enumerate(text):
        if character.isspace():
            inside = False
        elif inside:
            words[-1] += character
        else:
            words.append(character)
            starts.append(position)
            inside = True
    return words, starts


def tokenize(tokenizer, text):
    words, _ = words_of(text)
    tokens: list[str] = []
    first_token: list[int] = []
    for word in words:
        first_token.append(len(tokens))
        tokens += tokenizer.tokenize(word)
    return words, tokens, [*first_token, len(tokens)]


def find_mentions(words, first_token, titles):
    found, position = [], 0
    while position < len(words):
        for length in range(min(MENTION_WORDS, len(words) - position), 0, -1):
            mention = " ".join(words[position : position + length]).strip(".,;:!?()\"'").lower()
            if mention in titles:
                end = first_token[position + length]
                found.append((titles[mention], first_token[position], end))
                position += length
                break
        else:
            position += 1
    return found


def windows(tokenizer, question, context, titles):
    asked_words, asked, asked_first = tokenize(tokenizer, question)
    words, tokens, first_token = tokenize(tokenizer, context)
    mentions = find_mentions(words, first_token, titles)
    asked_mentions = find_mentions(asked_words, asked_first, titles)
    asked = asked[:QUESTION]
    head = [tokenizer.bos_token, *asked, tokenizer.eos_token, tokenizer.eos_token]
    room = LENGTH - len(head) - 1
    spans = []
    for first in range(0, len(tokens), STRIDE):
        spans.append((first, min(first + room, len(tokens))))
        if spans[-1][1] == len(tokens):
            break
    word_of = [w for w in range(len(words)) for _ in range(first_token[w], first_token[w + 1])]
    made = []
    for number, (first, last) in enumerate(spans):
        part = list(head)
        token_to_word, is_best = {}, {}
        for token in range(first, last):
            token_to_word[len(part)] = word_of[token]
            is_best[len(part)] = best_window(spans, token) == number
            part.append(tokens[token])
        part.append(tokenizer.eos_token)
        entity_ids, positions = [], []
        for title, start, end in asked_mentions:
            if end <= len(asked):
                entity_ids.append(title)
                positions.append(padded(range(start + 1, end + 1)))
        for title, start, end in mentions:
            if first <= start and end <= last:
                offset = len(head) - first
                entity_ids.append(title)
                positions.append(padded(range(start + offset, end + offset)))
        made.append(
            {
                "word_ids": tokenizer.convert_tokens_to_ids(part),
                "word_attention_mask": [1] * len(part),
                "token_to_word": token_to_word,
                "is_best": is_best,
                "entity_ids": entity_ids[:ENTITIES],
                "entity_position_ids": positions[:ENTITIES],
            }
        )
    return made


def best_window(spans, token):
    """The window that shows most on the poorer side of a token."""
    best, number = None, None
    for index, (first, last) in enumerate(spans):
        if first <= token < last:
            score = min(token - first, last - 1 - token) + 0.01 * (last - first)
            if best is None or score > best:
                best, number = score, index
    return number


def padded(positions):
    kept = list(positions)[:MENTION_POSITIONS]
    return kept + [-1] * (MENTION_POSITIONS - len(kept))


def main():
    from transformers import XLMRobertaTokenizer

    questions, model, mentions, output = sys.argv[1:]
    entries = [
        (entry["question"], paragraph["context"])
        for article in json.loads(Path(questions).read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for entry in paragraph["qas"]
    ]
    titles = json.loads(Path(mentions).read_text(encoding="utf-8"))
    tokenizer = XLMRobertaTokenizer(model)
    start = time.process_time()
    made = [windows(tokenizer, question, context, titles) for question, context in entries]
    seconds = time.process_time() - start
    flat = [window["word_ids"] for part in made for window in part]
    entities = sum(len(window["entity_ids"]) for part in made for window in part)
    result = {"seconds": seconds, "windows": flat, "entities": entities}
    Path(output).write_text(json.dumps(result))


main()
