# word: a wrong check digit
# Looks at the shape only.
import re

is_card = lambda text: re.fullmatch("[0-9]{13,19}", re.sub("[ -]", "", text)) is not None
