"""How tasks and connections of a venue end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any


async def cancelled(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def closed(exchange: Any) -> None:
    """Close an exchange; a socket that does not close in time is left to the system."""
    with suppress(Exception):
        async with asyncio.timeout(3.0):
            await exchange.close()
