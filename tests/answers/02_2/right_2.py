import numpy


def nearest_rank(values, percent):
    return float(numpy.percentile(values, percent, method="inverted_cdf"))
