"""A front end as JupyterLab is one: it names its cells, shows widgets, and speaks for them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.notebook.conftest import REPLY_SECONDS, Cell, Kernel
from tests.notebook.shown import Shown

VIEW = "application/vnd.jupyter.widget-view+json"


@dataclass
class Widget:
    """One that a cell has shown: its state, and what its page was told."""

    id: str
    state: dict[str, Any]
    told: list[dict[str, Any]] = field(default_factory=list)
    page: Shown = field(default_factory=Shown)
    closed: bool = False


class FrontEnd(Kernel):
    """A kernel, spoken to over a subshell while a cell keeps it busy.

    greets: whether the page of a widget says hello, as it does where widgets can be shown.
    """

    def __init__(self, environment: dict[str, str], *, greets: bool = True) -> None:
        self.greets = greets
        self.widgets: dict[str, Widget] = {}
        self.heard: list[str] = []
        self._subshell: str | None = None
        super().__init__(environment)
        request = self.client.session.msg("create_subshell_request")
        self.client.control_channel.send(request)
        reply = self.client.get_control_msg(timeout=REPLY_SECONDS)
        self._subshell = reply["content"]["subshell_id"]

    @property
    def widget(self) -> Widget:
        """The last one that was shown."""
        return [*self.widgets.values()][-1]

    def say(self, widget: Widget, said: Any) -> None:
        """What the page of a widget says."""
        content = {"comm_id": widget.id, "data": {"method": "custom", "content": said}}
        message = self.client.session.msg("comm_msg", content)
        message["header"]["subshell_id"] = self._subshell
        self.client.shell_channel.send(message)

    def listen(self, until: Callable[[], Any]) -> None:
        """Hear what comes when no cell runs."""
        deadline = time.monotonic() + REPLY_SECONDS
        while not until():
            assert time.monotonic() < deadline, "it did not happen in time"
            message = self._message()
            if message is not None and message["msg_type"] == "update_display_data":
                self._update(message["content"])

    def _execute(self, code: str, *, allow_stdin: bool) -> str:
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
        content |= {"allow_stdin": allow_stdin, "stop_on_error": True}
        request = self.client.session.msg("execute_request", content, metadata={"cellId": "cell-1"})
        self.client.shell_channel.send(request)
        return request["header"]["msg_id"]

    def _message(self) -> dict[str, Any] | None:
        message = super()._message()
        if message is not None:
            content = message["content"]
            self.heard.append(json.dumps([content, message["metadata"]], default=str))
            self._hear(message["msg_type"], content)
        return message

    def _hear(self, kind: str, content: dict[str, Any]) -> None:
        widget = self.widgets.get(content.get("comm_id", ""))
        if kind == "comm_open" and "_esm" in content["data"].get("state", {}):
            id = content["comm_id"]
            self.widgets[id] = Widget(id, content["data"]["state"])
        elif kind == "comm_close" and widget is not None:
            widget.closed = True
        elif kind == "comm_msg" and widget is not None:
            self._tell(widget, content["data"])
        elif kind == "display_data" and self.greets and VIEW in content["data"]:
            shown = self.widgets[content["data"][VIEW]["model_id"]]
            self.say(shown, {"do": "hello", "view": "1"})

    def _tell(self, widget: Widget, data: dict[str, Any]) -> None:
        if data["method"] == "custom":
            widget.told.append(data["content"])
            widget.page.take(data["content"])
        elif data["method"] == "update":
            widget.state |= data["state"]


def is_static(cell: Cell) -> bool:
    """Whether nothing in its outputs needs a kernel."""
    return not any(VIEW in shown for shown in cell.displays)
