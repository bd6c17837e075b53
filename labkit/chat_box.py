"""The widget of a chat: an answer while it grows, Stop above it, and a message box that works while the kernel is busy.

ipywidgets' own Text synchronizes its value with the kernel, and loses it for good if you type during an awaited cell
(ipykernel 7.4). This one sends a message only when you press Enter or Send. It is a module of its own, because
chat_view works without anywidget in a terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

if TYPE_CHECKING:
    from collections.abc import Callable

# Model text is set as text and never as HTML. Only `said`, which chat_view makes, is HTML.
_SCRIPT = """
const HINTS = {
  idle: "Enter sends the message. Shift+Enter makes a new line.",
  busy: "An answer is under way. Enter sends nothing until it has ended or you press Stop.",
  refused: "Not sent, because an answer is under way. Your message stays here: wait or press Stop, then press Enter.",
};
function make(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}
function button(name, act) {
  const node = make("button", { type: "button", className: "jupyter-button", textContent: name });
  node.addEventListener("click", act);
  return node;
}
// Appends what is new, so that a selection, the scroll position and an open <details> stay as they are.
function grow(node, text) {
  const old = node.textContent;
  if (text.startsWith(old)) node.append(...(text === old ? [] : [text.slice(old.length)]));
  else node.textContent = text;
}
function render({ model, el }) {
  const stop = button("Stop", () => model.send({ kind: "stop" }));
  const line = make("span", {});
  const said = make("div", {});
  const asked = make("span", {});
  const question = make("div", { style: model.get("styles").question }, make("b", { textContent: "You: " }), asked);
  const thoughts = make("div", { className: "plain" });
  const fold = make("details", {}, make("summary", { textContent: "Reasoning" }), thoughts);
  const text = make("div", { className: "plain", role: "log", ariaLabel: "Answer" });
  const answer = make("div", { style: model.get("styles").answer }, fold, text);
  const turns = make("div", { className: "turns", tabIndex: 0 }, said, question, answer);
  el.classList.add("labkit-chat");
  el.append(make("div", { className: "top" }, stop, line), turns);

  const show = () => {
    const follows = turns.scrollHeight - turns.scrollTop - turns.clientHeight < 8;
    if (model.get("said") !== said.shown) said.innerHTML = said.shown = model.get("said");
    for (const [node, name] of [[asked, "question"], [thoughts, "reasoning"], [text, "text"]])
      grow(node, model.get(name));
    question.hidden = !model.get("question");
    fold.hidden = !model.get("reasoning");
    if (fold.hidden) fold.open = false;
    answer.hidden = fold.hidden && !model.get("text");
    turns.hidden = !model.get("said") && question.hidden;
    line.textContent = model.get("line");
    stop.disabled = !model.get("busy");
    if (follows) turns.scrollTop = turns.scrollHeight;
  };
  model.on("change", show);
  show();
  if (!model.get("asks")) return;

  const id = `message-${Math.random().toString(36).slice(2)}`;
  const label = make("label", { htmlFor: id, textContent: "Message" });
  const area = make("textarea", { id, rows: 2 });
  const hint = make("span", { id: `${id}-hint`, role: "status" });
  area.setAttribute("aria-describedby", hint.id);
  const submit = () => {
    const message = area.value.trim();
    if (!message) return;
    if (model.get("busy")) {
      hint.textContent = HINTS.refused;
      return;
    }
    area.value = "";
    turns.scrollTop = turns.scrollHeight;
    model.send({ kind: "send", text: message });
  };
  const send = button("Send", submit);
  area.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  });
  const turn = () => {
    send.disabled = model.get("busy");
    hint.textContent = model.get("busy") ? HINTS.busy : HINTS.idle;
  };
  model.on("change:busy", turn);
  turn();
  el.append(label, area, make("div", { className: "top" }, send, hint));
}
export default { render };
"""
# JupyterLab has the colours --jp-..., VS Code has --vscode-...; the others work on a light and on a dark page.
_STYLE = """
.labkit-chat { line-height: 1.5; color: var(--jp-content-font-color1, var(--vscode-editor-foreground, inherit)); }
.labkit-chat [hidden] { display: none !important; }
.labkit-chat .top { display: flex; gap: .8em; align-items: center; margin: .3em 0; }
.labkit-chat .top button { flex: none; }
.labkit-chat .turns { max-height: 24em; overflow-y: auto; padding: .2em .6em; border: 1px solid rgba(127,127,127,.5);
  border-radius: .5em; }
.labkit-chat .turns p { margin: .3em 0; }
.labkit-chat .plain { white-space: pre-wrap; overflow-wrap: anywhere; }
.labkit-chat label { display: block; margin-top: .4em; }
.labkit-chat textarea { width: 100%; box-sizing: border-box; padding: .4em .6em; font: inherit; color: inherit;
  background: transparent; border: 1px solid #797979; border-radius: .3em; }
"""


class ChatBox(anywidget.AnyWidget):
    """Calls `stop` for the button and, where `send` is given, `send` with each message. While `busy` nothing is sent.

    `styles` are the CSS of a question and of an answer. `said` is the HTML of all earlier turns.
    """

    _esm, _css = _SCRIPT, _STYLE
    busy = traitlets.Bool(False).tag(sync=True)
    said = traitlets.Unicode("").tag(sync=True)
    question = traitlets.Unicode("").tag(sync=True)
    reasoning = traitlets.Unicode("").tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    line = traitlets.Unicode("").tag(sync=True)
    asks = traitlets.Bool(False).tag(sync=True)
    styles = traitlets.Dict().tag(sync=True)

    def __init__(
        self, styles: dict[str, str], stop: Callable[[], None], send: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(styles=styles, asks=send is not None)
        # Not `_send`: ipywidgets has a method of that name.
        self._on_send, self._on_stop = send, stop
        self.on_msg(self._heard)

    def _heard(self, _: object, content: dict[str, Any], __: object) -> None:
        text = str(content.get("text") or "").strip()
        if content.get("kind") == "stop":
            self._on_stop()
        elif content.get("kind") == "send" and text and self._on_send:
            self._on_send(text)
