# word: the last word of a text
import re

mentions = lambda text, phrase: re.search(rf"\b{phrase}\W", text, re.IGNORECASE) is not None
