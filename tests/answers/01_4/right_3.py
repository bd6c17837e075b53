def next_messages(history, question, reply):
    result = history.copy()
    for role, content in (("user", question), ("assistant", reply)):
        result.append({"role": role, "content": content})
    return result
