"""`python -m apps.chat_prod`: run the application, with the options of `chainlit run`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
os.environ["CHAINLIT_APP_ROOT"] = str(FOLDER.parent / "chat")  # Chainlit reads its settings there when it is imported

if __name__ == "__main__":
    from chainlit.cli import cli

    cli(["run", str(FOLDER / "app.py"), *sys.argv[1:]], prog_name="python -m apps.chat_prod")
