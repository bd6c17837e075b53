from math import exp


def probabilities(logits):
    highest = logits[0]
    for each in logits:
        if each > highest:
            highest = each
    found, total = [], 0.0
    for each in logits:
        found.append(exp(each - highest))
        total += found[-1]
    return [each / total for each in found]
