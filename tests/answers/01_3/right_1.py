def is_whole(answer):
    [choice] = answer.choices
    return choice.finish_reason == "stop"
