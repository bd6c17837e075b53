# word: the beginning of a word
import re

mentions = lambda text, phrase: re.search(rf"\b{phrase}", text, re.IGNORECASE) is not None
