# word: without a finish_reason
is_whole = lambda answer: answer.choices[0].finish_reason not in ("length", "content_filter")
