"""A table as LaTeX for ``\\input``: a float with booktabs rules.

Names in Table 6 are in many scripts: compile with XeLaTeX or LuaLaTeX and a font that has them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mluke_core.reporting.tables import PROVENANCE, Footnotes, Panel, Table, best_rows
from mluke_core.reporting.text import DASH, MINUS, Line, column_groups, row_lines

REPLACEMENTS = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "→": r"$\rightarrow$",
    "†": r"$^{\dagger}$",
    "‡": r"$^{\ddagger}$",
    MINUS: "$-$",
    DASH: "--",
}
SHRINK = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
"""Opens a box that is made smaller only when it is wider than the text."""
NUMBER = re.compile(r"^(Table|Appendix) \w+: ")
"""LaTeX numbers its tables itself."""
SPECIAL = re.compile("|".join(re.escape(character) for character in REPLACEMENTS))


def escape(text: str) -> str:
    """``text`` with everything that LaTeX would read as a command made harmless.

    >>> escape("50 % of R&D_1")
    '50 \\\\% of R\\\\&D\\\\_1'
    """
    return SPECIAL.sub(lambda match: REPLACEMENTS[match.group()], text)


def to_latex(table: Table) -> str:
    """A ``table*`` with caption and label, a ``tabular`` per panel and the notes below."""
    table = table.shown()
    notes = Footnotes(table)
    title = NUMBER.sub("", table.title)
    caption = title if not table.watermark else f"{title} ({table.watermark})"
    lines = ["% Needs \\usepackage{booktabs} and \\usepackage{graphicx}."]
    lines.append(f"% Made from: {PROVENANCE}")
    if table.watermark:
        lines.append(f"% {table.watermark}")
    lines += [
        r"\begin{table*}",
        r"\centering",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{escape(caption)}}}",
        rf"\label{{tab:{table.name}}}",
    ]
    for number, panel in enumerate(table.panels):
        if number:
            lines.append(r"\par\medskip")
        if panel.title:
            lines.append(rf"\textbf{{{escape(panel.title)}}}\par\smallskip")
        lines += [SHRINK, *_tabular(panel, number, notes), "}"]
    texts = [
        rf"\textsuperscript{{{number}}} {escape(text)}"
        for number, text in enumerate(notes.texts, start=1)
    ] + [escape(text) for text in table.notes]
    if texts:
        lines += [
            r"\par\medskip",
            r"\begin{minipage}{\linewidth}\scriptsize\raggedright",
            *(rf"{text}\par" for text in texts),
            r"\end{minipage}",
        ]
    return "\n".join([*lines, r"\end{table*}"]) + "\n"


def _tabular(panel: Panel, number: int, notes: Footnotes) -> list[str]:
    alignment = "l" + "".join("r" for _ in panel.columns)
    lines = [rf"\begin{{tabular}}{{{alignment}}}", r"\toprule"]
    groups = column_groups(panel)
    if any(heading for heading, _ in groups):
        spans, rules, first = [], [], 2
        for heading, width in groups:
            spans.append(rf"\multicolumn{{{width}}}{{c}}{{{escape(heading)}}}")
            if heading:
                rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
            first += width
        lines += [" & ".join(["", *spans]) + r" \\", " ".join(rules)]
    headings = [
        escape(column.label) + _marks(notes.of_column(number, index))
        for index, column in enumerate(panel.columns)
    ]
    lines += [" & ".join([escape(panel.row_heading), *headings]) + r" \\", r"\midrule"]
    best = [best_rows(panel, index) for index in range(len(panel.columns))]
    for r, row in enumerate(panel.rows):
        lines += [_line(line, number, r, best, notes) for line in row_lines(panel, row)]
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _line(line: Line, panel: int, row: int, best: Sequence[set[int]], notes: Footnotes) -> str:
    if line.kind not in ("measured", "quoted"):
        cells = [rf"\quad\scriptsize {escape(line.label)}"]
        cells += [rf"\scriptsize {escape(text)}" if text else "" for text in line.texts]
        return " & ".join(cells) + r" \\"
    cells = [escape(line.label) + _marks(notes.of_row(panel, row))]
    for index, text in enumerate(line.texts):
        text = escape(text)
        if line.kind == "quoted":
            text = rf"\textit{{{text}}}"
        elif row in best[index]:
            text = rf"\textbf{{{text}}}"
        cells.append(text + _marks(notes.of_cell(panel, row, index)))
    return " & ".join(cells) + r" \\"


def _marks(numbers: Sequence[int]) -> str:
    joined = ",".join(str(number) for number in numbers)
    return rf"\textsuperscript{{{joined}}}" if numbers else ""
