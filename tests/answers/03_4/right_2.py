SWEDISH = {"vad", "vilken", "vilket", "hur", "vem", "svara"}


def my_score(prompt):
    words = prompt.lower().replace("?", " ").replace(".", " ").split()
    if SWEDISH.intersection(words):
        return 1
    return 0.5 if any(word.isdigit() for word in words) else 0
