# word: expected 20
# Another definition: linear between neighbours.

from labkit.latency import percentile

nearest_rank = percentile
