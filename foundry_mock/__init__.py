"""A deterministic endpoint that speaks the wire format of Foundry Local 2.2.1, with faults on demand.

Lessons and tests use it where the result must be the same each time, or where something must fail.
"""

from foundry_mock.behaviour import Behaviour, Counters, Fault, Step
from foundry_mock.endpoint import MockEndpoint
from foundry_mock.local_server import LocalServer

__all__ = ["SIMULATED_CLOUD", "Behaviour", "Counters", "Fault", "LocalServer", "MockEndpoint", "Step"]

# A network's delay, a larger model's speed, and more room for the conversation.
SIMULATED_CLOUD = Behaviour(first_token=0.4, rate=80.0, slots=64, context=32_768, model="simulated-cloud-generic-cpu:1")
