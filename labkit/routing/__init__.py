"""Local or cloud: privacy gate, scorers, router, and the evaluation that proves or refutes them."""
