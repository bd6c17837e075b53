"""The chat of `apps.chat` as a server: `python -m apps.chat_prod`, or `chainlit run apps/chat_prod/app.py`."""

from __future__ import annotations

from apps.chat_prod.launch import launch

launch()

import apps.chat.app  # noqa: E402, F401 - its handlers register themselves, and find what was set up
