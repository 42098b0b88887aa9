"""What a wheel carries beside the code: the pages with which the sandbox knows the toolkit.

An editable install reads them where they lie, so it gets no copies that would grow old.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGES = ("README.md", "docs/*.md", "notebooks/*.ipynb")


class Pages(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        for file in (file for pattern in PAGES for file in root.glob(pattern)):
            place = f"kit/sandbox/toolkit/{file.relative_to(root).as_posix()}"
            build_data["force_include"][str(file)] = place
