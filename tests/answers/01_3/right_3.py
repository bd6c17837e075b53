def is_whole(answer):
    data = answer.model_dump()
    return data["choices"][0]["finish_reason"] in {"stop"}
