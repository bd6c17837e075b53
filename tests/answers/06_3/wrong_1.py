# word: has no model

diagnose = lambda endpoint, shown: "endpoint" if not endpoint else "fine" if shown else "address"
