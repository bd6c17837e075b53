# word: has no model

diagnose = lambda endpoint, shown: "fine" if endpoint == shown else "address" if endpoint else "endpoint"
