# word: not side by side
import re

mentions = lambda text, phrase: set(phrase.lower().split()) <= set(re.findall(r"\w+", text.lower()))
