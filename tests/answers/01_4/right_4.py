import copy


def next_messages(history, question, reply):
    new = copy.deepcopy(history)
    new.extend([{"role": "user", "content": question}, {"role": "assistant", "content": reply}])
    return new
