"""Settings, pushed by the client or pulled from it, over those of `initialize`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lsprotocol import types

from assistant.types import JsonObject
from lsp_server import settings

if TYPE_CHECKING:
    from lsp_server.server import AssistantServer

PULL_S = 1.0
"""The engine's start waits for the client's settings, but not for a client that never answers."""


async def did_change_configuration(server: AssistantServer, params: JsonObject) -> None:
    """Take what was pushed; an empty push is an invitation to ask."""
    pushed = params.get("settings")
    if isinstance(pushed, Mapping) and pushed:
        await apply(server, pushed)
    else:
        await pull(server)


async def pull(server: AssistantServer) -> None:
    """Ask the client for the ``sotto`` section, where it can be asked."""
    if not server.client.pulls:
        return
    wanted = types.ConfigurationParams([types.ConfigurationItem(section=settings.SECTION)])
    asked = server.protocol.send_request_async(types.WORKSPACE_CONFIGURATION, wanted)
    try:
        answer = await asyncio.wait_for(asked, PULL_S)
    except asyncio.CancelledError:
        raise
    except Exception:  # no answer, or an error of the client's own: the settings we have stay in force
        return
    if isinstance(answer, list) and answer and answer[0] is not None:
        await apply(server, answer[0])


async def apply(server: AssistantServer, given: object) -> None:
    config, complaints = settings.read(given, server.config)
    complain(server, complaints)
    await server.app.configure(config)


def register(server: AssistantServer) -> None:
    """Some clients announce changes only when asked to."""
    if server.client.registers:
        watch = types.Registration(
            id="sotto-settings",
            method=types.WORKSPACE_DID_CHANGE_CONFIGURATION,
            register_options=types.DidChangeConfigurationRegistrationOptions(section=settings.SECTION),
        )
        server.client_register_capability(types.RegistrationParams([watch]))


def complain(server: AssistantServer, complaints: list[str]) -> None:
    if complaints:
        server.app.warn(settings.message(complaints))
