# word: returned 0
# A number, where True or False is asked for.

is_whole = lambda answer: [choice.finish_reason for choice in answer.choices].count("stop")
