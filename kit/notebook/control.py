"""`%kit`: what is configured, and how to change it. Every answer is text to print.

A key is asked for without echo and never shown, not even in part; one that was written on the
line is refused, because the line stays in the notebook.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kit.errors import ConfigError, InputError, Interrupted
from kit.notebook.arguments import nearest
from kit.notebook.session import Session
from kit.notebook.splitting import split_words
from kit.secret import checked_key

__all__ = ["SUBCOMMANDS", "control"]

_LONGEST_LIST = 200


def control(line: str, session: Session) -> str | None:
    """Do what the line after `%kit` says; text to print, if any. Raises KitError."""
    words = [word.text for word in split_words(line)]
    name, arguments = (words[0], words[1:]) if words else ("status", [])
    name = {"--help": "help", "-h": "help"}.get(name, name)
    command = SUBCOMMANDS.get(name)
    if command is None:
        near = nearest(name, SUBCOMMANDS)
        suggestion = f"did you mean %kit {near}? " if near else ""
        raise InputError(
            f"There is no %kit {name[:40]}; {suggestion}there are: {', '.join(SUBCOMMANDS)}."
        )
    return command(arguments, session)


def _status(arguments: list[str], session: Session) -> str:
    from kit import connect
    from kit.connect_doctor import seen_last
    from kit.settings_unused import unused_key

    _take(arguments, 0, "%kit status")
    status = connect.status()
    if status.model:
        session.models.add(status.model)
    rows = [
        ("gateway", _GATEWAYS.get(status.kind, "{address}").format(address=status.address)),
        ("model", status.model or "not chosen: the gateway is asked which it has"),
        ("key", status.key_source or "none"),
        *((name, f"from {place}") for name, place in status.sources.items()),
        *_relay(),
    ]
    if (seen := seen_last()) is not None:
        rows.append(("doctor", seen))
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {value}" for name, value in rows]
    unused = unused_key() if status.kind == "sandbox" else None
    return "\n".join([*lines, *([unused] if unused else []), "", _next_step(status)])


def _relay() -> list[tuple[str, str]]:
    """Rows about the relay that research goes to; none where it is the one in this kernel."""
    from kit.settings_relay import ADDRESS, load_relay

    try:
        relay = load_relay()
    except ConfigError as error:  # the cells work without one, and so does what else is said
        return [("relay", " ".join(str(error).split()))]
    if relay.base_url is None:
        return []
    return [("relay", relay.base_url), (ADDRESS, f"from {relay.base_url_source}")]


_GATEWAYS = {
    "sandbox": "the sandbox on this machine: a search engine, no language model",
    "local": "the small language model on this machine",
}


def _next_step(status: Any) -> str:
    if status.kind == "sandbox":
        return "Next: %%chat asks it. For a real gateway: %kit login https://your-gateway"
    if status.kind == "gateway" and not status.key_source:
        return "Next: %kit login gives it a key, if it wants one; %kit models lists its models."
    return "Next: %kit models lists its models; %kit help shows what else there is."


def _models(arguments: list[str], session: Session) -> str:
    from kit import connect

    _take(arguments, 0, "%kit models")
    names = connect.client().models()
    session.models.update(names)
    if not names:
        return "The gateway lists no models."
    shown = [_printable(name) for name in sorted(names)[:_LONGEST_LIST]]
    more = len(names) - len(shown)
    return "\n".join([*shown, *([f"and {more:,} more"] if more else [])])


def _use(arguments: list[str], session: Session) -> str:
    from kit import connect

    kinds = ("sandbox", "local", "gateway")
    (kind,) = _take(arguments, 1, f"%kit use {'|'.join(kinds)}")
    if kind not in kinds:
        raise InputError(f"There is no {kind[:40]!r} to use; there are {', '.join(kinds)}.")
    connect.use(kind)
    session.models.clear()
    return _status([], session)


def _model(arguments: list[str], session: Session) -> str:
    from kit import connect

    (name,) = _take(arguments, 1, "%kit model NAME")
    connect.choose_model(name)
    session.models.add(name)
    return f"The cells ask {_printable(name)} from now on; -m in a cell comes before it."


def _login(arguments: list[str], session: Session) -> str:
    from kit import connect, keys

    if len(arguments) > 1 or any(_looks_like_a_key(word) for word in arguments):
        raise InputError(
            "%kit login [ADDRESS] asks for the key itself. If this line holds a key, delete it "
            "from the cell, and give the gateway a new one: the notebook may have been saved."
        )
    if arguments and not _has_marks_of_an_address(arguments[0]):
        raise InputError(
            "What follows %kit login is no address: one looks like https://gateway.example.com.\n"
            "The key is asked for. If this line holds one, delete it from the cell."
        )
    address = _address(arguments)
    key = checked_key(_ask_for_key(address), "login")
    place = keys.remember(address, key.reveal())
    connect.use("gateway", address=address if arguments else None)
    kept = "the system's keyring" if place == "keyring" else "memory, until this kernel ends"
    lines = [f"The key for {address} is kept in {kept}, and the cells talk to it now."]
    if arguments:
        shown = address.removesuffix("/v1")
        lines.append(f"To stay with it: put the line LITELLM_BASE_URL={shown} into ~/.env.")
    return "\n".join(lines)


def _address(arguments: list[str]) -> str:
    """The address on the line, normalised; without one, that of the configured gateway.

    No kept key is read: one that does not work must neither stop a new one nor stay for good.
    """
    from kit import connect, settings
    from kit.address import normalise

    if arguments:
        return normalise(arguments[0])
    chosen = connect._chosen_address()  # pyright: ignore[reportPrivateUsage]
    endpoint = settings.load(chosen, login=lambda address: None).endpoint
    if endpoint is None:
        raise InputError(
            "No gateway is configured: name its address, like %kit login https://your-gateway"
        )
    return endpoint.base_url


def _has_marks_of_an_address(word: str) -> bool:
    return "." in word or ":" in word or word == "localhost"


def _looks_like_a_key(word: str) -> bool:
    """Whether a word may be a secret. What is short and has no digit is a name, with one letter
    wrong or without its https://."""
    if _has_marks_of_an_address(word):
        return False
    return word.startswith("sk-") or len(word) > 20 or any(map(str.isdigit, word))


def _ask_for_key(address: str) -> str:
    import getpass

    key, stopped = "", False
    try:
        key = getpass.getpass(f"Key for {address}: ").strip()
    except (EOFError, OSError, RuntimeError) as error:
        # ipykernel's StdinNotImplementedError is a RuntimeError: nobody is there to type.
        raise ConfigError(
            "Nobody can type a key here. Set LITELLM_API_KEY in the environment or in ~/.env."
        ) from error
    except KeyboardInterrupt:
        stopped = True
    if stopped:  # out here nothing leads from the error to what was typed
        raise Interrupted("No key was given; nothing is kept.")
    if not key:
        raise InputError("No key was typed; nothing has changed.")
    return key


def _logout(arguments: list[str], session: Session) -> str:
    from kit import connect, keys

    _take(arguments, len(arguments[:1]), "%kit logout [ADDRESS]")
    address = _address(arguments)
    had_one = keys.forget(address)
    connect.forget_client(logged_out=address)
    return f"The key for {address} is forgotten." if had_one else f"No key is kept for {address}."


def _trust(arguments: list[str], session: Session) -> str:
    from kit import connect
    from kit.trust import trust

    _take(arguments, 0, "%kit trust")
    folder, address = trust()
    connect.forget_client()
    return f"{folder / '.env'} may name the address {address}, and your key may go there."


def _doctor(arguments: list[str], session: Session) -> str | None:
    from kit.notebook.doctor_desk import consult

    return consult(arguments)


def _nest(arguments: list[str], session: Session) -> str:
    import nest_asyncio

    _take(arguments, 0, "%kit nest")
    nest_asyncio.apply()
    return (
        "asyncio.run() works in cells now. It patches asyncio for this whole kernel, until it is "
        "restarted; a server started in it may fail."
    )


def _help(arguments: list[str], session: Session) -> str:
    width = max(len(usage) for usage, _ in _HELP)
    return "\n".join(f"{usage:<{width}}  {does}" for usage, does in _HELP)


_HELP = (
    ("%kit", "what is configured, and where it comes from"),
    ("%kit models", "the models of the gateway"),
    ("%kit use sandbox|local|gateway", "who answers"),
    ("%kit model NAME", "the model of the cells from now on"),
    ("%kit login [ADDRESS]", "ask for a key, and keep it for this address only"),
    ("%kit logout [ADDRESS]", "forget it"),
    ("%kit trust", "let this folder's .env name the gateway's address"),
    ("%kit doctor [--all]", "what the gateway really does, tried out; --model NAME, --forget"),
    ("%kit nest", "make asyncio.run() work in cells"),
    ("%%chat --help", "the options of %%chat; %%responses and %%research have their own"),
    ("%research help", "what there is for research runs"),
)

SUBCOMMANDS: dict[str, Callable[[list[str], Session], str | None]] = {
    "status": _status,
    "models": _models,
    "use": _use,
    "model": _model,
    "login": _login,
    "logout": _logout,
    "trust": _trust,
    "doctor": _doctor,
    "nest": _nest,
    "help": _help,
}


def _take(arguments: list[str], count: int, usage: str) -> list[str]:
    if len(arguments) != count:
        raise InputError(f"That is written {usage}")
    return arguments


def _printable(name: str) -> str:
    """A name the gateway gave, on one line."""
    return "".join(letter for letter in name if letter.isprintable())
