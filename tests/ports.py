"""Ports of loopback for servers that have to be told theirs.

Rule: none that the system gives out by itself. Between the look at such a port and the server's
start, a connection of anybody's may get it.
"""

from __future__ import annotations

import random
import socket

__all__ = ["free_port"]

OWN = range(10_000, 32_000)
"""Below what Linux (32768 on), macOS and Windows (49152 on) give to connections."""


def free_port() -> int:
    """A port at which nobody listens, and that no connection is given."""
    chance = random.SystemRandom()
    while True:
        port = chance.choice(OWN)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
