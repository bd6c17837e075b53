def is_whole(answer):
    for choice in answer.choices:
        if choice.finish_reason is None or choice.finish_reason != "stop":
            return False
    return True
