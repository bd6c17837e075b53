# word: container itself

reaches = lambda listens, system, by: listens == "0.0.0.0"
