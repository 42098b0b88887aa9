"""Which model names the sandbox knows.

`sandbox`, `sandbox:FAULT`, and every name with "research" in it: research models come and go, and
their shape is served under any of their names.
"""

from __future__ import annotations

from dataclasses import dataclass

from kit.sandbox.problems import Refused

MODEL = "sandbox"


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model name taken apart."""

    name: str
    fault: str | None = None
    research: bool = False


def read_model(name: str) -> ModelName:
    """Take `name` apart; a 404 when it is none of ours."""
    base, colon, fault = name.partition(":")
    research = "research" in base.lower()
    if colon and base.startswith(MODEL) and (base == MODEL or research):
        return ModelName(name, fault, research)
    if name == MODEL or "research" in name.lower():
        return ModelName(name, None, name != MODEL)
    message = (
        f"The model '{name[:100]}' does not exist here. The sandbox has 'sandbox', and takes any "
        "name with 'research' in it for a research run."
    )
    raise Refused(404, message, param="model", code="model_not_found")
