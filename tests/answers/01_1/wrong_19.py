# word: nothing listens
# Never asks the endpoint: it only looks at the form of the arguments.

usable = lambda base_url, model: base_url.startswith("http://127.0.0.1") and model == "mock-model-generic-cpu:1"
