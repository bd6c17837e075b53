from fractions import Fraction

nearest_rank = lambda values, percent: min(
    value
    for value in values
    if Fraction(sum(other <= value for other in values), len(values)) >= Fraction(percent) / 100
)
