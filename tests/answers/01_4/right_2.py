def next_messages(history, question, reply):
    return history + [{"content": question, "role": "user"}, {"content": reply, "role": "assistant"}]
