"""The course's parts as a drawn picture."""

from __future__ import annotations

from matplotlib.patches import FancyBboxPatch

from labkit.plots.picture import BLUE, INK, ORANGE, PALE, Picture


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
