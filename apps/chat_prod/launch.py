"""What production puts around the app before it serves anybody: settings, logs, metrics, readiness, shutdown."""

from __future__ import annotations

import sys

import chainlit as cl
import chainlit.config
import chainlit.server

from apps.chat.chainlit_fixes import in_own_folder
from apps.chat.device import Device
from apps.chat.launch import FILES, protect
from apps.chat_prod import metrics, readiness
from apps.chat_prod.configuration import Configuration, Env
from apps.chat_prod.drain import AT_ONCE, Drain
from apps.chat_prod.limits import Buckets
from apps.chat_prod.logs import set_up
from apps.chat_prod.operations import Operations
from apps.chat_prod.threads import open_threads
from labkit import LabError


def launch() -> None:
    """Set all of it up, once in a process; ends the process with one clear message where the app may not start."""
    run, app = chainlit.config.config.run, chainlit.server.app
    if hasattr(app.state, "hooks"):  # `-w` imports the app again, when it serves already
        return
    in_own_folder()
    try:
        configuration = Configuration.from_environment(host=run.host, watch=bool(run.watch))
        hooks = assemble(configuration)
    except LabError as error:
        sys.exit(f"chat: {error}")
    set_up(configuration.log)
    protect(configuration.hosts, configuration.session_secret)
    app.state.hooks = hooks
    watch = readiness.Readiness(hooks.device, hooks.drain, lambda: hooks.threads.engine)
    hooks.metrics.registry.register(metrics.Now(hooks.device, watch, hooks.routes))
    # Ahead of Chainlit's own routes, which answer every unknown path with the page.
    app.router.routes[:0] = [
        readiness.page(watch),
        metrics.page(hooks.metrics, watch, configuration.metrics_token),
    ]
    cl.on_app_startup(hooks.started)


def assemble(configuration: Configuration) -> Operations:
    """One of each part. Raises SettingsError and StoreError."""
    threads = open_threads(configuration.database_url or FILES / "threads.db")
    development = configuration.env is Env.DEVELOPMENT
    interrupt = min(AT_ONCE, configuration.drain) if development else configuration.drain
    return Operations(
        device=Device(concurrency=configuration.concurrency, most=configuration.queue),
        threads=threads,
        users=configuration.users,
        patience=configuration.patience,
        cloud=configuration.settings.cloud_base_url is not None,
        metrics=metrics.Metrics(),
        drain=Drain(configuration.drain, interrupt, threads.settled),
        buckets=Buckets(configuration.rate) if configuration.rate else None,
    )
