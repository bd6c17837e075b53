def again(what, shown):
    match what, shown:
        case _, True:
            return False
        case "dropped" | "no connection" | 429, _:
            return True
        case int(), _:
            return what // 100 == 5
    return False
