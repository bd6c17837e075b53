# word: lists the model it returned False
# Hard-wires a model that it expects.

usable = lambda base_url, model: model == "phi-4-mini-instruct-generic-cpu:5"
