"""A figure that carries its own description, and what all figures share: colours, a footer, the machine."""

from __future__ import annotations

import io
import os
import platform
from typing import TYPE_CHECKING, Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase

    from labkit.connection import Connection
    from labkit.notebook import Table

# Okabe and Ito's palette: told apart with every common kind of colour blindness, and in grey by order.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
# The background is transparent, so that a figure follows the notebook's theme. The ink has the same contrast on white
# and on the dark theme's #111, 4.3 to 1. No colour has more on both.
INK = "#717A84"
GRID = (*to_rgb(INK), 0.35)
DPI = 110
# The variable with the machine's load in percent. `python lab.py regenerate` sets it while it records notebooks.
LOAD = "LABKIT_LOAD"


class Picture(Figure):
    """A figure with alternative text, shown by Jupyter without pyplot and its global state.

    Its `table`, where it has one, is shown below it: the same values for who reads rather than looks.
    """

    def __init__(self, width: float, height: float, alt: str) -> None:
        super().__init__(figsize=(width, height), layout="constrained", facecolor="none")
        FigureCanvasAgg(self)
        self.alt = alt
        self.table: Table | None = None

    def add_subplot(self, *args: Any, **options: Any) -> Any:
        """As in matplotlib, in INK and without a background."""
        with rc_context({"axes.facecolor": "none", "axes.edgecolor": INK}):
            axes = super().add_subplot(*args, **options)
        axes.tick_params(which="both", color=INK, labelcolor=INK)
        return axes

    def draw(self, renderer: RendererBase) -> None:
        """As in matplotlib; texts that have no colour of their own get INK."""
        for text in self.findobj(Text):
            if isinstance(text, Text) and text.get_color() == "black":
                text.set_color(INK)
        super().draw(renderer)

    def png(self) -> bytes:
        """The picture as PNG."""
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=DPI)
        return file.getvalue()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)
        if self.table:
            display(self.table)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """What Jupyter shows: the PNG with its description, and the description alone as plain text."""
        return {"image/png": self.png(), "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def machine() -> str:
    """Name this machine in a few words: cores, processor family, system, Python; and its load while recording."""
    load = f", load {os.environ[LOAD]} %" if os.environ.get(LOAD) else ""
    system = f"{platform.machine()}, {platform.system()}"
    return f"{os.cpu_count()} cores, {system}, Python {platform.python_version()}{load}"


def footer(picture: Picture, source: Connection | str) -> None:
    """Model, source and machine below the axes, so that a figure that is passed on still says where it is from.

    Of recorded data the source is a text that says all three.
    """
    text = source if isinstance(source, str) else f"{source.model} · {source.source} · {machine()}"
    picture.supxlabel(text, fontsize=7, color=INK, x=0.01, ha="left")


def tidy(axes: Axes) -> None:
    """Take away what carries nothing: two sides of the frame."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
