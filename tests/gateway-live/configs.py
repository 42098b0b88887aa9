"""What the proxies are configured to serve, as LiteLLM reads it.

native…    the responses API, passed through to an upstream that speaks it
bridged…   the responses API, translated to the upstream's chat completions
others     one thing that goes wrong, each
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from living import KEY

Json = dict[str, Any]

FAULTS = (
    *("429", "500", "429-quota", "400-context", "failed", "cut"),
    *("error-first", "error-then-failed", "empty-output", "slow"),
)
"""Of the sandbox, behind `native:NAME` and `bridged:NAME`."""


NATIVE, BRIDGED = "openai", "custom_openai"
"""LiteLLM's names for what speaks the responses API, and for what it translates that for."""


@dataclass(frozen=True)
class Upstreams:
    """Addresses that end in /v1. `model` has the local model, the others are sandboxes."""

    quick: str
    paced: str
    slow: str
    slowest: str
    model: str
    model_name: str
    model_key: str


def models(there: Upstreams) -> list[Json]:
    """Both proxies serve the same models."""
    small = {"address": there.model, "key": there.model_key}
    return [
        _model("native", "sandbox", there.quick),
        _model("native-paced", "sandbox", there.paced, input_cost_per_token=1e-5),
        _model("native-research", "sandbox-research", there.quick),
        _model("native-slow-research", "sandbox-research", there.slow),
        _model("native-model", there.model_name, **small),
        _model("bridged", "sandbox", there.quick),
        _model("bridged-research", "sandbox-research", there.quick),
        _model("bridged-slow-research", "sandbox-research", there.slow),
        _model("bridged-slowest-research", "sandbox-research", there.slowest),
        _model("bridged-model", there.model_name, **small),
        *(_model(f"native:{one}", f"sandbox:{one}", there.quick) for one in FAULTS),
        *(_model(f"bridged:{one}", f"sandbox:{one}", there.quick) for one in FAULTS),
        _model("priced", "sandbox", there.quick, input_cost_per_token=1e-5),
        _model("openai-as-chat", "chat_completions/sandbox", there.quick),
        _model("dead", "sandbox", "http://127.0.0.1:9/v1"),
        _model("refused-upstream-key", "sandbox", there.quick, key="sk-wrong"),
    ]


def _model(name: str, upstream: str, address: str, key: str = "sk-any", **prices: float) -> Json:
    provider = BRIDGED if name.startswith("bridged") else NATIVE
    params = {"model": f"{provider}/{upstream}", "api_key": key, "api_base": address, **prices}
    return {"model_name": name, "litellm_params": params}


def plain(there: Upstreams) -> Json:
    """No database, no Redis: what one gets who follows the first page of LiteLLM's manual."""
    return {
        "model_list": models(there),
        "litellm_settings": {
            **{"telemetry": False, "num_retries": 0, "request_timeout": 300},
        },
        # one refusal would otherwise close a model to the next tests for 5 s
        "router_settings": {"disable_cooldowns": True},
        "general_settings": {"master_key": KEY},
    }


def polling(there: Upstreams, redis_port: int) -> Json:
    """Background for every model, kept in Redis by the proxy."""
    config = plain(there)
    config["litellm_settings"] |= {
        "cache": True,
        "cache_params": {
            **{"type": "redis", "host": "127.0.0.1", "port": redis_port},
            "supported_call_types": [],
        },
        "responses": {"background_mode": {"polling_via_cache": "all", "ttl": 3600}},
    }
    return config
