"""Pages with links to training sequences, against the original path; shuffling in little memory.

Text is that of the real excerpts (`../shared/mirror` or `MLUKE_MIRROR`), or of the miniature world
where there are none; every link target is an entity of the vocabulary, so that no work is left
out. "The mix" is every language but English, 3 MB of each at most. Speed is UTF-8 text per CPU
second of one core, from the file of pages to the file of sequences; the start of the process and
loading the tokenizer are left out on both sides. The peer is the slow tokenizer of transformers
4.57.1, called for every piece of text between the ends of sentences and links. Run it on an idle
machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _bench import CACHE, ROOT, Row, cpu_seconds, main, peer_python, run_process, use_one_core

sys.path.insert(0, str(ROOT))

FOLDER = CACHE / "sequences"
MIRROR = Path(os.environ.get("MLUKE_MIRROR", ROOT.parent / "shared" / "mirror"))
XLMR = "huggingface.co/FacebookAI/xlm-roberta-base/resolve/main"
PEER = ("transformers==4.57.1", "sentencepiece==0.2.1", "protobuf==6.33.0")
SHARED = ("pyarrow", "pyicu-wheels")
"""The peer gets these in our versions, so that reading, writing and sentences cost the same."""
REPEATS = 3
MIX_BYTES = 3_000_000
QUICK_BYTES = 1_000_000
QUICK_LANGUAGES = ("en", "el", "ja", "vi", "ru", "ar", "th")


def real_pages(folder: Path) -> dict[str, Path]:
    """Pages of the real excerpts, one file per language, extracted once."""
    from mluke_core.corpus.extract import extract_part

    paths = {}
    for dumps in sorted((MIRROR / "dumps.wikimedia.org").glob("*wiki/*")):
        language = dumps.parent.name.removesuffix("wiki")
        files = sorted(dumps.glob("*-pages-articles-multistream*.xml*.bz2"))
        if not files:
            continue
        paths[language] = folder / f"{language}.parquet"
        if not paths[language].exists():
            extract_part(
                files,
                0,
                1,
                language=language,
                pages_path=paths[language],
                redirects_path=folder / f"{language}.redirects.parquet",
                report_path=folder / f"{language}.json",
            )
    return paths


def miniature_pages(folder: Path) -> dict[str, Path]:
    """Pages of the miniature world, many times over, in the same form."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mluke_core.corpus.pages_file import PAGES
    from mluke_core.miniature.encyclopaedia import Encyclopaedia, articles_by_language
    from mluke_core.miniature.facts import load_world

    world = load_world()
    languages = ["en", "ar", "de", "ja", "zh"]
    keys = articles_by_language(world, languages, 42)
    paths = {}
    for language in languages:
        rows = [
            {
                "page_id": page.page_id,
                "title": page.title,
                "paragraphs": [
                    {
                        "text": paragraph.text,
                        "links": [
                            {"start": a, "end": b, "target": t} for a, b, t in paragraph.links
                        ],
                    }
                    for paragraph in page.paragraphs
                ],
            }
            for page in Encyclopaedia(world, language, keys[language], 42).pages()
            if page.is_article
        ]
        paths[language] = folder / f"{language}.parquet"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows * 8, PAGES), paths[language])
    return paths


def first_pages(path: Path, size: int) -> Path:
    """A file with the first pages of another: about ``size`` bytes of text."""
    import pyarrow.parquet as pq

    output = path.with_suffix(f".{size}.parquet")
    if not output.exists():
        table = pq.read_table(path)
        total = rows = 0
        while rows < len(table) and total < size:
            page = table.slice(rows, 1).to_pylist()[0]
            total += sum(len(paragraph["text"].encode()) for paragraph in page["paragraphs"])
            rows += 1
        pq.write_table(table.slice(0, rows), output)
    return output


def tokenizer_folder() -> Path:
    """XLM-R's own tokenizer, or the miniature world's."""
    from mluke_core.io.sources import Source
    from mluke_core.sequences.build_tokenizer import build_tokenizer

    files = MIRROR / XLMR
    output = FOLDER / ("xlmr" if files.is_dir() else "small")
    if not output.exists():
        if not files.is_dir():
            files = FOLDER / "small-files"
            write_small_tokenizer(files)
        names = ("sentencepiece.bpe.model", "tokenizer.json")
        entries = {name: {"path": str(files / name)} for name in names}
        manifest = FOLDER / "source.json"
        content = {"source": "xlmr", "version": "", "licence": "", "files": entries}
        manifest.write_text(json.dumps(content))
        build_tokenizer(Source(manifest), "sentencepiece", output)
    return output


def write_small_tokenizer(folder: Path) -> None:
    """The miniature world's tokenizer, trained on the text of the benchmark."""
    from mluke_core.alignment.page_columns import page_texts
    from mluke_core.miniature.tokenizer_files import write_tokenizer

    paths = sorted((FOLDER / "miniature").glob("??.parquet"))
    lines = dict.fromkeys(line for text in page_texts(paths) for line in text.split("\n"))
    write_tokenizer(folder, lines, [])


def prepare(language: str, pages: Path, folder: Path) -> dict[str, Any]:
    """Redirects, sitelinks and a vocabulary in which every link of the pages counts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mluke_core.alignment.build_vocabulary import SCHEMA as VOCABULARY
    from mluke_core.alignment.page_columns import link_targets, page_texts
    from mluke_core.alignment.sitelinks import SCHEMA as SITELINKS

    batches = link_targets([pages])
    titles = sorted({title for batch in batches for title in batch.column(0).to_pylist()})
    special = [(None, {"language": "", "title": name}) for name in ("[PAD]", "[UNK]", "[MASK]")]
    names = [*special, *((i, {"language": language, "title": t}) for i, t in enumerate(titles, 1))]
    rows = [
        {"entity_id": i, "qid": qid, "count": 1, "languages": 1, "titles": [name]}
        for i, (qid, name) in enumerate(names)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, VOCABULARY), folder / "vocabulary.parquet")
    links = [{"qid": i, "title": title} for i, title in enumerate(titles, 1)]
    pq.write_table(pa.Table.from_pylist(links, SITELINKS), folder / "sitelinks.parquet")
    empty = {"source": pa.array([], pa.string()), "target": pa.array([], pa.string())}
    pq.write_table(pa.table(empty), folder / "redirects.parquet")
    return {
        "language": language,
        "pages": str(pages),
        "folder": str(folder),
        "vocabulary": {title: i + len(special) for i, title in enumerate(titles)},
        "output": str(folder / "peer.parquet"),
        "bytes": sum(len(text.encode()) for text in page_texts([pages])),
    }


def build(job: dict[str, Any], tokenizer: Any) -> tuple[float, Any]:
    """CPU seconds and counts of our step."""
    from mluke_core.sequences.build_sequences import build_sequences
    from mluke_core.sequences.packing import SequenceSettings
    from mluke_core.sequences.target_index import TargetIndex

    folder, pages = Path(job["folder"]), Path(job["pages"])
    started = cpu_seconds()
    targets = TargetIndex.resolve(
        pages,
        folder / "redirects.parquet",
        folder / "sitelinks.parquet",
        folder / "vocabulary.parquet",
        job["language"],
    )
    counts = build_sequences(
        job["language"],
        pages,
        targets,
        tokenizer,
        "",
        SequenceSettings(validation_share=0.0),
        1,
        folder / "ours.parquet",
    )
    return cpu_seconds() - started, counts


def same_rows(jobs: Sequence[dict[str, Any]]) -> float:
    """Share of our sequences that the peer has too, at the same place."""
    import pyarrow.parquet as pq

    same = total = 0
    for job in jobs:
        columns = ["input_ids", "entity_ids", "starts", "ends"]
        ours = pq.read_table(Path(job["folder"]) / "ours.parquet", columns=columns).to_pylist()
        theirs = {str(row) for row in pq.read_table(job["output"], columns=columns).to_pylist()}
        same += sum(str(row) in theirs for row in ours)
        total += len(ours)
    return same / max(total, 1)


def speed_rows(
    jobs: list[dict[str, Any]], tokenizer_path: Path, python: Path, work: Path
) -> list[Row]:
    from mluke_core.sequences.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(tokenizer_path)
    tokenizer.segmenter.encode_many(["warm"], [""])
    program = Path(__file__).with_name("_slow_sequences.py")
    model = tokenizer_path / "sentencepiece.bpe.model"
    (work / "jobs.json").write_text(json.dumps(jobs))
    run_process([python, program, work / "jobs.json", model], stdout=work / "peer.jsonl")
    peer = [json.loads(line) for line in (work / "peer.jsonl").read_text().splitlines()]
    # The least of several measurements: other programs of the machine only ever add to it.
    ours = [min(build(job, tokenizer)[0] for _ in range(REPEATS)) for job in jobs]
    rows = []
    for name, chosen in (
        ("English", [i for i, job in enumerate(jobs) if job["language"] == "en"]),
        ("the mix", [i for i, job in enumerate(jobs) if job["language"] != "en"]),
    ):
        megabytes = sum(jobs[i]["bytes"] for i in chosen) / 1e6
        speed = megabytes / sum(ours[i] for i in chosen)
        theirs = megabytes / sum(peer[i]["cpu_s"] for i in chosen)
        same = same_rows([jobs[i] for i in chosen])
        rows += [
            Row(f"{name}, {megabytes:.1f} MB: MB/s", f"{speed:.2f}", "", speed, ">= 6"),
            Row(
                f"{name}: against a slow tokenizer per piece",
                f"{speed:.2f} MB/s",
                f"{theirs:.2f} MB/s",
                speed / theirs,
                ">= 3",
            ),
            Row(f"{name}: sequences that the peer has too", f"{100 * same:.1f} %", "", None, ""),
        ]
    return rows


def shuffle_rows(work: Path, sizes: Sequence[int]) -> list[Row]:
    """Memory and speed of shuffling so many sequences of 400 tokens."""
    sys.path.insert(0, str(ROOT / "workflow_scripts"))
    usages = []
    for size in sizes:
        part, report = work / f"{size}.parquet", work / f"{size}.json"
        write_random_part(part, report, size)
        settings = json.dumps({"language": "en", "seed": 1, "shard_mb": 256})
        usages.append(
            run_process(
                [
                    sys.executable, ROOT / "workflow_scripts" / "shuffle_sequences.py",
                    "--settings", settings, "--parts", part, "--reports", report,
                    "--output", work / "out", "--index", work / "index.json",
                ],
                env={"PYTHONPATH": str(ROOT)},
            )
        )  # fmt: skip
        part.unlink()
    small, large = usages
    megabytes = sizes[1] * 400 * 4 / 1e6
    factor = sizes[1] // sizes[0]
    return [
        Row(
            f"shuffle: peak memory, {factor} times the sequences",
            f"{large.peak_bytes / 1e6:.0f} MB",
            f"{small.peak_bytes / 1e6:.0f} MB",
            large.peak_bytes / small.peak_bytes,
            "<= 1.25",
        ),
        Row(
            f"shuffle: {megabytes:.0f} MB of word ids",
            f"{megabytes / large.cpu_s:.0f} MB/s",
            "",
            None,
            "",
        ),
    ]


def write_random_part(path: Path, report: Path, size: int) -> None:
    """Sequences of 400 tokens with 10 mentions each, three to a page."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mluke_core.io.files import write_json
    from mluke_core.io.parquet import stage_metadata, with_metadata
    from mluke_core.sequences.store import SCHEMA

    generator = np.random.default_rng(0)
    metadata = stage_metadata("build_sequences", {}) | {"tokenizer": "", "entity_vocabulary": ""}
    step = 5000

    def lists(values: Any, kind: pa.DataType) -> pa.Array:
        rows, length = values.shape
        bounds = np.arange(rows + 1, dtype=np.int32) * length
        return pa.ListArray.from_arrays(bounds, pa.array(values.ravel(), kind))

    with pq.ParquetWriter(path, with_metadata(SCHEMA, metadata), compression="zstd") as writer:
        for first in range(0, size, step):
            numbers = np.arange(first, min(first + step, size))
            shape = (len(numbers), 10)
            starts = generator.integers(0, 398, shape)
            columns = [
                pa.array(numbers // 3, pa.int64()),
                lists(generator.integers(4, 250_000, (len(numbers), 400)), pa.int32()),
                lists(generator.integers(3, 1_200_000, shape), pa.int32()),
                lists(starts, pa.int16()),
                lists(starts + 2, pa.int16()),
                pa.array(np.zeros(len(numbers), bool)),
            ]
            writer.write_batch(pa.record_batch(columns, schema=writer.schema))
    write_json(report, {"sequences": size})


def run(arguments: argparse.Namespace) -> list[Row]:
    from importlib.metadata import version

    use_one_core()
    requirements = [*PEER, *(f"{name}=={version(name)}" for name in SHARED)]
    python = peer_python("slow-sequences", requirements, arguments.peer_path)
    FOLDER.mkdir(parents=True, exist_ok=True)
    real = (MIRROR / "dumps.wikimedia.org").is_dir()
    paths = real_pages(FOLDER / "real") if real else miniature_pages(FOLDER / "miniature")
    if arguments.quick:
        paths = {name: path for name, path in paths.items() if name in QUICK_LANGUAGES}
    most = QUICK_BYTES if arguments.quick else MIX_BYTES
    paths = {
        language: path if language == "en" and not arguments.quick else first_pages(path, most)
        for language, path in paths.items()
    }
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        work = Path(folder)
        jobs = [prepare(language, path, work / language) for language, path in paths.items()]
        rows = speed_rows(jobs, tokenizer_folder(), python, work)
        sizes = (150_000, 450_000) if arguments.quick else (150_000, 600_000)
        return rows + shuffle_rows(work, sizes)


if __name__ == "__main__":
    sys.exit(
        main(
            "sequences",
            __doc__ or "",
            run,
            packages=("sentencepiece", "pyicu-wheels", "pyarrow", "duckdb"),
        )
    )
