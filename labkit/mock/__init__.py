"""A deterministic endpoint that speaks the wire format of Foundry Local 2.2.1, with faults on demand.

It is for what must not vary and for what must go wrong. What can be shown on the live runtime is shown there.
"""

from labkit.mock.behaviour import Behaviour, Counters, Fault, Step
from labkit.mock.endpoint import MockEndpoint

__all__ = ["Behaviour", "Counters", "Fault", "MockEndpoint", "Step"]
