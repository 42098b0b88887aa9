"""What `%load_ext kit` adds to a running kernel, against `import openai`.

`python benchmarks/startup.py`: a fresh kernel for every measurement, in turns; then each import in
a fresh interpreter. It also says which heavy modules came along: with kit there should be none.
Under a minute.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from jupyter_client.manager import KernelManager
from measure import Target, print_ratio

ROUNDS = 5
HEAVY = ("pandas", "numpy", "ipywidgets", "anywidget", "fastapi", "pydantic", "aiohttp", "httpx")
STATEMENTS = {
    "%load_ext kit": "get_ipython().run_line_magic('load_ext', 'kit')",
    "import openai": "import openai",
}
TIMED = """
import sys, time
before, start = set(sys.modules), time.perf_counter()
{statement}
seconds = time.perf_counter() - start
print(seconds, *({heavy} & (set(sys.modules) - before)))
"""


def in_a_kernel(statement: str) -> tuple[float, list[str]]:
    """Seconds that `statement` takes in a fresh kernel, and the heavy modules it loaded."""
    manager = KernelManager()
    manager.start_kernel(stderr=subprocess.DEVNULL)  # its log lines
    client = manager.blocking_client()
    client.start_channels()
    printed: list[str] = []

    def note(message: dict[str, object]) -> None:
        if message["msg_type"] in ("stream", "error"):
            printed.append(str(message["content"].get("text") or message["content"]))  # type: ignore[attr-defined]

    try:
        client.wait_for_ready(timeout=30)
        time.sleep(0.3)  # what a kernel still does after it is ready is not ours
        code = TIMED.format(statement=statement, heavy=set(HEAVY))
        client.execute_interactive(code, timeout=30, output_hook=note)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    seconds, *heavy = "".join(printed).split()
    return float(seconds), heavy


def in_a_process(statement: str) -> float:
    """Seconds of a whole interpreter that does nothing else, less an empty one's."""
    took: list[float] = []
    for code in (statement, "pass"):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        took.append(time.perf_counter() - start)
    return took[0] - took[1]


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    heavy: dict[str, set[str]] = {name: set() for name in STATEMENTS}
    for _ in range(ROUNDS):
        for name, statement in STATEMENTS.items():
            took, loaded = in_a_kernel(statement)
            seconds[name].append(took)
            heavy[name].update(loaded)
    print(f"\nIn a running kernel, ms (median of {ROUNDS} fresh kernels)")
    for name, times in seconds.items():
        loaded = f"   loads {', '.join(sorted(heavy[name]))}" if heavy[name] else ""
        print(f"  {name:<16}{1000 * statistics.median(times):8.0f}{loaded}")
    target = Target("%load_ext kit", "import openai", 0.35, at_most=True)
    print_ratio(target, seconds[target.peer], seconds[target.other])

    print(f"\nIn a fresh interpreter, ms (median of {ROUNDS})")
    for statement in ("import kit", "import kit; kit.Client", "import openai"):
        times = [in_a_process(statement) for _ in range(ROUNDS)]
        print(f"  {statement:<24}{1000 * statistics.median(times):8.0f}")


if __name__ == "__main__":
    main()
