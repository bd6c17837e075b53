import numpy as np

saturation = lambda service_s, slots, think_s: np.float64(slots) * np.divide(service_s + think_s, service_s)
