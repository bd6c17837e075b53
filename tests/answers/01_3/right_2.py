def is_whole(answer):
    match answer.choices[0].finish_reason:
        case "stop":
            return True
        case _:
            return False
