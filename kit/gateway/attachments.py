"""Pictures and files as parts of a message.

Rule: what leaves the machine is bounded and named by the caller. A path is read here and now;
an address is passed on as it is, for the gateway to fetch, and never fetched by us.
"""

from __future__ import annotations

import base64
import io
import mimetypes
from pathlib import Path
from typing import Any

from kit.errors import InputError
from kit.gateway.events import Wire

__all__ = ["MAX_ATTACHMENT_BYTES", "file_part", "image_part"]

MAX_ATTACHMENT_BYTES = 20 * 2**20
"""Of one attachment, before base64 makes it a third larger."""


def image_part(image: Any) -> Wire:
    """An `input_image` part from bytes, a path, an address, or an object that draws itself.

    Draws itself: PIL images and anything else with `_repr_png_`, matplotlib figures, and
    `IPython.display.Image`. Raises InputError for anything else.
    """
    if isinstance(image, str) and image.startswith(("https://", "http://", "data:image/")):
        return {"type": "input_image", "image_url": image, "detail": "auto"}
    content = _image_bytes(image)
    kind = _kind_of_image(content)
    if kind is None:
        raise InputError("The image is not a PNG, JPEG, GIF or WebP; convert it to one of these.")
    return {"type": "input_image", "image_url": _data_url(content, kind), "detail": "auto"}


def file_part(path: str | Path) -> Wire:
    """An `input_file` part with the content of the file at `path`."""
    path = Path(path)
    content = _read(path)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return {"type": "input_file", "filename": path.name, "file_data": _data_url(content, kind)}


def _image_bytes(image: Any) -> bytes:
    if isinstance(image, bytes | bytearray):
        return _bounded(bytes(image), "The image")
    if isinstance(image, str | Path):
        return _read(Path(image))
    for draw in (_own_png, _own_data, _figure_png):
        content = draw(image)
        if content is not None:
            return _bounded(content, "The image")
    raise InputError(
        f"A {type(image).__name__} is not an image. Pass bytes, a path, an address, a PIL image "
        "or a matplotlib figure."
    )


def _own_png(image: Any) -> bytes | None:
    draw = getattr(image, "_repr_png_", None)
    content = draw() if callable(draw) else None
    if isinstance(content, tuple):  # IPython's images add metadata
        content = content[0]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(content, str):
        content = base64.b64decode(content)
    return content if isinstance(content, bytes) else None


def _own_data(image: Any) -> bytes | None:
    content = getattr(image, "data", None)
    return content if isinstance(content, bytes) else None


def _figure_png(image: Any) -> bytes | None:
    save = getattr(image, "savefig", None)
    if save is None:
        return None
    buffer = io.BytesIO()
    save(buffer, format="png")
    return buffer.getvalue()


def _read(path: Path) -> bytes:
    name = str(path) if len(str(path)) <= 200 else str(path)[:199] + "…"
    try:
        path = path.expanduser()
        if not path.is_file() and path.exists():  # a device has no size, and perhaps no end
            raise InputError(f"{name} cannot be read: it is not a file.")
        with path.open("rb") as stream:
            return _bounded(stream.read(MAX_ATTACHMENT_BYTES + 1), name)
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{name} cannot be read: {reason}.") from None


def _bounded(content: bytes, name: str) -> bytes:
    if len(content) > MAX_ATTACHMENT_BYTES:
        raise InputError(
            f"{name} is larger than {MAX_ATTACHMENT_BYTES // 2**20} MiB; send a smaller part of it."
        )
    return content


def _kind_of_image(content: bytes) -> str | None:
    if content[:4] == b"RIFF":
        return "image/webp" if content[8:12] == b"WEBP" else None
    return next((kind for mark, kind in _SIGNATURES.items() if content.startswith(mark)), None)


_SIGNATURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


def _data_url(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
