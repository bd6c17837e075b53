"""An input box with Send and Stop that also works while the kernel is busy.

ipywidgets' own Text synchronizes its value with the kernel, and loses it for good if you type during an awaited cell
(ipykernel 7.4). This one sends a message only when you press Send. It is a module of its own, because chat_view works
without anywidget in a terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

if TYPE_CHECKING:
    from collections.abc import Callable

_SCRIPT = """
function render({ model, el }) {
  const id = `message-${Math.random().toString(36).slice(2)}`;
  const label = Object.assign(document.createElement("label"), { htmlFor: id, textContent: "Message" });
  const area = Object.assign(document.createElement("textarea"), { id, rows: 2 });
  const send = Object.assign(document.createElement("button"), { type: "button", textContent: "Send" });
  const stop = Object.assign(document.createElement("button"), { type: "button", textContent: "Stop" });
  area.placeholder = "Enter sends, Shift+Enter makes a new line";
  area.style.cssText = "width:100%;box-sizing:border-box;font:inherit";
  for (const button of [send, stop]) button.className = "jupyter-button";
  const show = () => {
    send.disabled = model.get("busy");
    stop.disabled = !model.get("busy");
  };
  const submit = () => {
    const text = area.value.trim();
    if (!text || model.get("busy")) return;
    area.value = "";
    model.send({ kind: "send", text });
  };
  area.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  });
  send.addEventListener("click", submit);
  stop.addEventListener("click", () => model.send({ kind: "stop" }));
  model.on("change:busy", show);
  show();
  el.append(label, area, send, stop);
}
export default { render };
"""


class MessageBox(anywidget.AnyWidget):
    """Calls `send` with each message and `stop` for the button; `busy` turns Send off and Stop on."""

    _esm = _SCRIPT
    busy = traitlets.Bool(False).tag(sync=True)

    def __init__(self, send: Callable[[str], None], stop: Callable[[], None]) -> None:
        super().__init__()
        # Not `_send`: ipywidgets has a method of that name.
        self._on_send, self._on_stop = send, stop
        self.on_msg(self._heard)

    def _heard(self, _: object, content: dict[str, Any], __: object) -> None:
        text = str(content.get("text") or "").strip()
        if content.get("kind") == "stop":
            self._on_stop()
        elif content.get("kind") == "send" and text:
            self._on_send(text)
