"""The look of all figures, and svg files that are the same whenever they are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mluke_core.io.files import atomic_path
from mluke_core.reporting.tables import watermark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours of Okabe and Ito (2008), told apart with every common colour blindness; yellow is left
# out because it is too light for lines on white.
PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]
INK = "#1b1f24"
SOFT = "#5a6472"
RULE = "#d5dae0"
WARNING = "#7a4b00"
TITLE_ID = "figure-title"
TITLE_HEIGHT = "title height: "
WIDTH_INCHES = 9.0
POINTS_PER_INCH = 72

SETTINGS: Any = {
    "svg.hashsalt": "mluke",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": SOFT,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw inside this block: the style is set. Without pyplot, no display is needed."""
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        yield


def new_figure(
    rows: int = 1,
    columns: int = 1,
    height: float = 3.6,
    width: float = WIDTH_INCHES,
    **options: Any,
) -> tuple[Figure, Any]:
    """A figure and its axes as a 2-D array; ``options`` go to ``subplots``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def finish(figure: Figure, title: str, scale: str, output: str | Path) -> None:
    """Set the title (the finding) and the scale's watermark, and write the svg atomically.

    The bytes depend on what is drawn alone: no date, no random ids. The title stands in the
    file's metadata too, with its height in points, so that a page can set it as text instead.
    """
    drawn = figure.suptitle(
        title, x=0.012, ha="left", fontsize=11.5, fontweight="bold", wrap=True, gid=TITLE_ID
    )
    mark = watermark(scale)
    if mark:
        figure.supxlabel(mark, x=0.988, ha="right", fontsize=8, color=WARNING)
    figure.draw_without_rendering()
    top = drawn.get_window_extent().ymin / figure.dpi * POINTS_PER_INCH
    below = figure.get_figheight() * POINTS_PER_INCH - top
    metadata = {
        "Date": None,
        "Creator": "mluke",
        "Title": title,
        "Description": f"{TITLE_HEIGHT}{below:.1f}",
    }
    with atomic_path(output) as temporary:
        figure.savefig(temporary, format="svg", metadata=metadata)


def only_grid(axes: Axes, axis: str) -> None:
    """Keep the grid lines that belong to one axis ("x" or "y")."""
    axes.grid(False)
    axes.grid(True, axis=axis)  # type: ignore[arg-type]


def label_bars(axes: Axes, values: Sequence[float], positions: Sequence[float]) -> None:
    """Write each horizontal bar's value behind its end."""
    for value, position in zip(values, positions, strict=True):
        axes.annotate(
            short_number(value),
            (value, position),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=SOFT,
        )


def broken(label: str) -> str:
    """A system's label on lines that fit over a panel.

    >>> broken("XLM-R + extra training ([Y])").splitlines()
    ['XLM-R', '+ extra training', '([Y])']
    """
    return label.replace(" + ", "\n+ ").replace(" ([", "\n([")


def short_number(value: float) -> str:
    """``1234567`` → ``1.2 M``; below a thousand as it is.

    >>> short_number(950), short_number(28_800), short_number(4_100_000_000.0)
    ('950', '28.8 k', '4.1 G')
    """
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.1f} {unit}"
    return f"{value:g}" if float(value).is_integer() else f"{value:.1f}"


def duration(seconds: float) -> str:
    """``5400`` → ``1.5 h``.

    >>> duration(42), duration(600), duration(200_000)
    ('42 s', '10 min', '2.3 d')
    """
    for factor, unit, digits in ((86_400, "d", 1), (3_600, "h", 1), (60, "min", 0)):
        if seconds >= factor:
            return f"{seconds / factor:.{digits}f} {unit}"
    return f"{seconds:.0f} s"


def memory(megabytes: float) -> str:
    """``1536`` → ``1.5 GB``."""
    return f"{megabytes / 1024:.1f} GB" if megabytes >= 1024 else f"{megabytes:.0f} MB"
