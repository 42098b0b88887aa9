"""Where a chat panel is put: the widget, and below it what a saved notebook keeps."""

from __future__ import annotations

import html
from functools import lru_cache
from typing import Any

from kit.notebook import frontend
from kit.notebook.chat_turns import MOST_KEPT, Turn, bundle_of_turn, markdown_of_turns
from kit.notebook.render import plain

__all__ = ["display_panel", "kept_bundle"]

AWAY = (
    "A chat panel was here. Run the cell again for a new one, or trust this notebook (File menu)."
)
NO_WIDGETS = (
    "No widgets are shown here; in JupyterLab, Notebook and VS Code this is a panel to chat in.\n"
    "Cells do the same: ask with %%chat or %%responses, and go on with -c."
)


def display_panel(panel: Any) -> None:
    """Put it where the cell is."""
    from IPython.core.getipython import get_ipython
    from IPython.display import DisplayHandle, publish_display_data

    shell = get_ipython()
    if shell is None or not frontend.shows_widgets(shell, busy=False):
        publish_display_data({"text/plain": NO_WIDGETS})
        return
    from kit.notebook.page import Page

    page = Page("parts", "live", "chat", name="chat panel", hear=panel.hear)
    kept = DisplayHandle()
    # First, because a page says hello in another thread, as soon as it is shown.
    panel.show_in(page.tell, lambda turns: kept.update(kept_bundle(turns), raw=True))
    publish_display_data({"text/plain": AWAY, **page.view()})
    kept.display(kept_bundle(panel.turns), raw=True)


def kept_bundle(turns: list[Turn]) -> dict[str, str]:
    """The conversation as plain output, folded."""
    if not turns:
        return {}
    markdown = markdown_of_turns(turns)
    said = f"{len(turns)} turn{'s' if len(turns) > 1 else ''}"
    body = "".join(map(_html_of, turns))
    head = f"<summary>This conversation ({said}), kept for a notebook without a kernel</summary>"
    return {
        "text/plain": plain(markdown),
        "text/markdown": markdown,
        "text/html": f"<details>{head}{body}</details>",
    }


@lru_cache(maxsize=MOST_KEPT)
def _html_of(turn: Turn) -> str:
    attached = f" (with {', '.join(turn.attached)})" if turn.attached else ""
    asked = html.escape(plain(turn.prompt + attached)).replace("\n", "<br>")
    said = (
        bundle_of_turn(turn).get("text/html")
        or f"<p>({html.escape(plain(turn.problem or turn.state))})</p>"
    )
    # The class: JupyterLab looks for formulas in HTML as well.
    return f'<p class="mathjax_ignore"><strong>{asked}</strong></p>{said}'
