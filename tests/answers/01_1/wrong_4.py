# word: returned 'ok'
# A text instead of a truth value.

usable = lambda base_url, model: "ok"
