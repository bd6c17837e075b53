"""One function a figure. Each returns a `Picture`: a matplotlib figure that carries its own description."""

from __future__ import annotations

import io
import os
import platform
from statistics import median
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from labkit.connection import Connection

# Okabe and Ito's palette: told apart with every common kind of colour blindness, and in grey by order.
INK, BLUE, ORANGE, GREEN, PALE = "#222222", "#0072B2", "#D55E00", "#009E73", "#F4F6F8"
DPI = 110


class Picture(Figure):
    """A figure with alternative text, shown by Jupyter without pyplot and its global state."""

    def __init__(self, width: float, height: float, alt: str) -> None:
        super().__init__(figsize=(width, height), layout="constrained", facecolor="white")
        FigureCanvasAgg(self)
        self.alt = alt

    def png(self) -> bytes:
        """The picture as PNG."""
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=DPI)
        return file.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """What Jupyter shows: the PNG with its description, and the description alone as plain text."""
        return {"image/png": self.png(), "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def machine() -> str:
    """Name this machine in a few words: cores, processor family, system, Python."""
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def architecture() -> Picture:
    """The course's parts, from the browser to the device, and what passes between them."""
    picture = Picture(
        10,
        3.5,
        "Six boxes in a row joined by arrows: browser, Chainlit, your Python code, Foundry Local, model, device. "
        "Between them: WebSocket, function calls, HTTP with server-sent events, ONNX Runtime, execution provider. "
        "All six lie inside a frame named this machine.",
    )
    axes = picture.add_subplot()
    axes.set(xlim=(0, 60), ylim=(0, 20))
    axes.axis("off")
    frame = FancyBboxPatch((0.6, 1), 58.8, 17.6, boxstyle="round,pad=0,rounding_size=1", fc=PALE, ec=INK, ls="--")
    axes.add_patch(frame)
    axes.text(1.8, 16.6, "this machine: no message leaves it", fontsize=10, color=INK, style="italic")
    parts = [
        ("Browser", "the page", "04, 05"),
        ("Chainlit", "the chat app", "04"),
        ("Python", "openai client,\nlabkit", "01, 02, 03"),
        ("Foundry Local", "/v1 on 127.0.0.1", "01, 06, 07"),
        ("Model", "ONNX files", "01"),
        ("Device", "CPU, GPU\nor NPU", "01, 05"),
    ]
    wires = ["Web-\nSocket", "calls", "HTTP,\nSSE", "ONNX\nRuntime", "execution\nprovider"]
    for number, (name, what, lessons) in enumerate(parts):
        left = 1.6 + number * 9.75
        colour = BLUE if name in {"Foundry Local", "Model"} else INK
        axes.add_patch(
            FancyBboxPatch((left, 5), 6.4, 7.5, boxstyle="round,pad=0,rounding_size=.6", fc="white", ec=colour)
        )
        axes.text(left + 3.2, 10.9, name, ha="center", va="center", fontsize=8.5, weight="bold", color=colour)
        axes.text(left + 3.2, 7.8, what, ha="center", va="center", fontsize=7.5, color=INK)
        axes.text(left + 3.2, 3.2, f"notebook {lessons}", ha="center", va="center", fontsize=8, color="#555555")
        if number < len(wires):
            axes.annotate("", (left + 9.65, 8.7), (left + 6.5, 8.7), arrowprops={"arrowstyle": "<->", "color": INK})
            axes.text(left + 8.07, 13.6, wires[number], ha="center", va="center", fontsize=8, color=ORANGE)
    return picture


def samples(series: Mapping[str, Sequence[float]], unit: str, title: str, lab: Connection) -> Picture:
    """Every single measurement of each series as a dot, its median as a line, on a logarithmic axis."""
    picture = Picture(7.5, 1.6 + 0.8 * len(series), f"{title}: one row of dots for each of {', '.join(series)}.")
    axes = picture.add_subplot()
    colours = [BLUE, ORANGE, GREEN]
    for row, values in enumerate(series.values()):
        colour = colours[row % len(colours)]
        axes.plot(values, [row] * len(values), "o", color=colour, alpha=0.45, markersize=7)
        axes.plot([median(values)] * 2, [row - 0.28, row + 0.28], color=colour, linewidth=2.5)
        axes.annotate(f"median {median(values):.3g} {unit}", (median(values), row + 0.36), ha="center", fontsize=9)
    axes.set_yticks(range(len(series)), [f"{name}\n(n = {len(values)})" for name, values in series.items()])
    axes.set(xscale="log", ylim=(-0.6, len(series) - 0.2), xlabel=f"{title} ({unit}, logarithmic axis)")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="x", which="major", color="#DDDDDD")
    axes.spines[["top", "right", "left"]].set_visible(False)
    _footer(axes, lab)
    return picture


def _footer(axes: Axes, lab: Connection) -> None:
    """Model, source and machine below the axes, so that a figure that is passed on still says where it is from."""
    text = f"{lab.model} · {lab.source} · {machine()}"
    figure = axes.figure
    figure.supxlabel(text, fontsize=7, color="#666666", x=0.01, ha="left")
