"""Drawn pictures: the course's parts, and what a container reaches."""

from __future__ import annotations

from matplotlib.patches import FancyBboxPatch

from labkit.plots.picture import BLUE, INK, ORANGE, Picture


def architecture() -> Picture:
    """The course's parts, from the browser to the device, and what passes between them."""
    picture = Picture(
        10,
        3.5,
        "Six boxes in a row joined by arrows: browser, Chainlit, your Python code, Foundry Local, model, device. "
        "Between them: WebSocket, function calls, HTTP with server-sent events, ONNX Runtime, execution provider. "
        "All six are inside a frame named this machine.",
    )
    axes = picture.add_subplot()
    axes.set(xlim=(0, 60), ylim=(0, 20))
    axes.axis("off")
    frame = FancyBboxPatch((0.6, 1), 58.8, 17.6, boxstyle="round,pad=0,rounding_size=1", fc="none", ec=INK, ls="--")
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
            FancyBboxPatch((left, 5), 6.4, 7.5, boxstyle="round,pad=0,rounding_size=.6", fc="none", ec=colour)
        )
        axes.text(left + 3.2, 10.9, name, ha="center", va="center", fontsize=8.5, weight="bold", color=INK)
        axes.text(left + 3.2, 7.8, what, ha="center", va="center", fontsize=7.5, color=INK)
        axes.text(left + 3.2, 3.2, f"notebook {lessons}", ha="center", va="center", fontsize=8, color=INK)
        if number < len(wires):
            axes.annotate("", (left + 9.65, 8.7), (left + 6.5, 8.7), arrowprops={"arrowstyle": "<->", "color": INK})
            axes.text(left + 8.07, 13.6, wires[number], ha="center", va="center", fontsize=8, color=INK)
    return picture


def containers() -> Picture:
    """What a container reaches of a server that listens on 127.0.0.1: with Docker Desktop, and two ways on Linux."""
    picture = Picture(
        10,
        3.3,
        "Three drawings of a container that wants to reach a runtime on 127.0.0.1 of its host. With Docker Desktop the "
        "name host.docker.internal arrives. On Linux the same name ends at a bridge, where nothing listens. On Linux "
        "with the host's network, 127.0.0.1 arrives.",
    )
    ways = [
        ("Docker Desktop (macOS, Windows)", "host.docker.internal", "passed on by the host", True),
        ("Linux, a bridge", "host.docker.internal", "ends at the bridge", False),
        ("Linux, the host's network", "127.0.0.1", "one network for both", True),
    ]
    for number, (where, name, why, arrives) in enumerate(ways):
        axes = picture.add_subplot(1, len(ways), number + 1)
        axes.set(xlim=(0, 20), ylim=(0, 20))
        axes.axis("off")
        axes.set_title(where, fontsize=10, color=INK)
        for bottom, text, colour in ((12.5, "Open WebUI\nin a container", INK), (1, "runtime\non 127.0.0.1", BLUE)):
            shape = "round,pad=0,rounding_size=.8"
            axes.add_patch(FancyBboxPatch((4, bottom), 12, 5.5, boxstyle=shape, fc="none", ec=colour))
            axes.text(10, bottom + 2.75, text, ha="center", va="center", fontsize=9, color=INK)
        colour, end = (BLUE, 6.9) if arrives else (ORANGE, 9.3)
        arrow = {"arrowstyle": "->" if arrives else "-[", "color": colour, "linestyle": "-" if arrives else "--"}
        axes.annotate("", (10, end), (10, 12.3), arrowprops=arrow)
        axes.text(10.6, 10.9, name, fontsize=8, va="center", color=INK)
        axes.text(10.6, 8.6, why, fontsize=8, va="center", color=INK, style="italic")
    return picture
