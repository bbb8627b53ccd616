"""Write a table in all its formats."""

from __future__ import annotations

from pathlib import Path

from mluke_core.io.files import write_text
from mluke_core.reporting.csv_format import to_csv
from mluke_core.reporting.html_format import to_html
from mluke_core.reporting.latex_format import to_latex
from mluke_core.reporting.markdown_format import to_markdown
from mluke_core.reporting.tables import Table

WRITERS = {"csv": to_csv, "md": to_markdown, "tex": to_latex, "html": to_html}


def write_table_files(table: Table, stem: str | Path) -> list[Path]:
    """Write ``{stem}.csv``, ``.md``, ``.tex`` and ``.html``; equal tables give equal bytes."""
    stem = Path(stem)
    paths = []
    for suffix, writer in WRITERS.items():
        path = stem.with_name(f"{stem.name}.{suffix}")
        write_text(path, writer(table))
        paths.append(path)
    return paths
