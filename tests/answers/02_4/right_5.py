def first_token(request, chunks):
    match chunks:
        case []:
            return None
        case [(_, ""), *rest]:
            return first_token(request, rest)
        case [(at, _), *_]:
            return at - request
