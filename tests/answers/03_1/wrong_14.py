# word: <re.Match
# Gives what was found, not whether.
import re

mentions = lambda text, phrase: re.search(rf"\b{re.escape(phrase)}\b", text, re.IGNORECASE)
