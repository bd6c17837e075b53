"""`/metrics` for Prometheus: answers, errors, times and the line, without a word about who asked what."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, StateSetMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from apps.chat.guard import is_loopback
from labkit import Router
from labkit.latency import ttft
from labkit.routing.resilience import State
from labkit.routing.router import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prometheus_client.core import Metric
    from starlette.requests import Request

    from apps.chat.device import Device, Refused
    from apps.chat_prod.readiness import Readiness
    from labkit import Connection
    from labkit.events import Trace

# A local model needs tens of milliseconds for a first token, or a minute for a long prompt.
FIRST = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120)
WHOLE = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)
TOKENS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
# What a proxy adds. It makes every request look as if it came from this machine.
FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip")
WORST = (State.CLOSED, State.HALF_OPEN, State.OPEN)


class Now(Collector):
    """What is true at the moment of asking: the line, the breakers, readiness."""

    def __init__(self, device: Device, readiness: Readiness, routes: Mapping[object, Connection | Router]) -> None:
        self.device, self.readiness, self.routes = device, readiness, routes

    def collect(self) -> Iterable[Metric]:
        """The gauges."""
        queue = self.device.queue
        for name, help_text, value in (
            ("running", "Questions that are being answered", queue.running),
            ("waiting", "Questions in line", queue.waiting),
            ("width", "Answers at once", queue.width),
        ):
            yield GaugeMetricFamily(f"chat_queue_{name}", help_text, value)
        yield GaugeMetricFamily("chat_ready", "Whether /ready says yes", int(self.readiness.ready))
        breakers = StateSetMetricFamily("chat_breaker", "State of the breaker of each target", labels=["target"])
        routers = [route for route in self.routes.values() if isinstance(route, Router)]
        for target in Target if routers else ():
            # There is a router for each model; the worst one is what somebody wants to know of.
            worst = max((router.breakers[target].state for router in routers), key=WORST.index)
            breakers.add_metric([target], {state.value: state is worst for state in State})
        yield breakers


class Metrics:
    """The counters of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = known = CollectorRegistry()
        self.answers = Counter("chat_answers", "Answers by how they ended", ["ended", "place"], registry=known)
        self.errors = Counter("chat_errors", "Errors by kind", ["kind"], registry=known)
        self.refusals = Counter("chat_refusals", "Questions that were not taken", ["why"], registry=known)
        self.first = Histogram("chat_first_token_seconds", "Time to first token", buckets=FIRST, registry=known)
        self.whole = Histogram("chat_answer_seconds", "Time of whole answers", buckets=WHOLE, registry=known)
        self.tokens = Histogram("chat_answer_tokens", "Tokens of an answer", buckets=TOKENS, registry=known)

    def answered(self, trace: Trace, ended: str, place: str) -> None:
        """Count an answer; one without text has no times."""
        self.answers.labels(ended, place).inc()
        first = ttft(trace)
        if first is not None:
            self.first.observe(first)
            self.whole.observe(trace.end - trace.request)
            self.tokens.observe(trace.tokens)

    def record_error(self, error: Exception) -> None:
        """Count an error."""
        self.errors.labels(type(error).__name__).inc()

    def refused(self, why: Refused) -> None:
        """Count a question that was not taken."""
        self.refusals.labels(why).inc()


def refusal(client: str, headers: Mapping[str, str], token: str) -> Response | None:
    """The answer for people who may not look: everybody without the token if one is set, else other machines."""
    if token:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()):
            return None
        return PlainTextResponse("A token is wanted.", 401, {"WWW-Authenticate": "Bearer"})
    if is_loopback(client) and not any(name in headers for name in FORWARDED):
        return None
    return PlainTextResponse("Set CHAT_METRICS_TOKEN to look from elsewhere.", 403)


def page(metrics: Metrics, readiness: Readiness, token: str) -> Route:
    """`/metrics`, with what is ready looked up again."""

    async def show(request: Request) -> Response:
        client = request.client.host if request.client else ""
        if refused := refusal(client, request.headers, token):
            return refused
        await readiness.look()
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", show)
