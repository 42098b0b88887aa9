"""What is configured: which gateway, which key, which models; frozen once read.

Rule: the only module that reads the environment. Values come from arguments, the environment,
`~/.env` and a folder's `.env` (sources.py has the order of trust), and

    a key goes only to an address from the same place or from a more trusted one,

because a cloned folder's `.env` could otherwise send the user's key to its author. A key typed
into `%kit login` is bound to its address instead. In the process it was typed into it comes after
an argument alone; later, from the keyring, after the environment too, and before the files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from kit import keys
from kit.errors import ConfigError, InputError, KeyWithheld
from kit.secret import Secret, checked_key
from kit.sources import (
    ADDRESS,
    Found,
    Source,
    Trust,
    find,
    folder_file,
    gateway_address,
    home_folder,
    read_file,
    user_folder,
)
from kit.trust import trusted

__all__ = ["Endpoint", "Secret", "Settings", "load", "path_from", "places"]

KEY = "LITELLM_API_KEY"
MODEL = "LITELLM_MODEL"
CHAT_MODEL = "LITELLM_CHAT_MODEL"
RESEARCH_MODEL = "LITELLM_RESEARCH_MODEL"
CA_FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A gateway ready to be called: `base_url` is normalised and ends in `/v1`.

    `identity` names what is behind it ("sandbox", "local", else the address), whatever the port.
    """

    base_url: str
    api_key: Secret | None = None
    model: str | None = None
    chat_model: str | None = None
    research_model: str | None = None
    identity: str = ""
    headers: Mapping[str, str] = field(default_factory=_nothing, repr=False, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", self.identity or self.base_url)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is configured. `endpoint` is None where no gateway is: use the sandbox.

    `sources` says which name came from where; it holds no values.
    """

    endpoint: Endpoint | None
    model: str | None
    chat_model: str | None
    research_model: str | None
    sandbox_corpus: tuple[Path, ...]
    sandbox_pace: float  # 1.0: as slow as a real gateway; 0: no waiting at all
    local_model: Path | None
    ca_file: str | None
    proxies: Mapping[str, str] = field(repr=False, hash=False)  # may hold a proxy's password
    user_data: Path
    sources: Mapping[str, str] = field(hash=False)


def load(
    base_url: str | None = None,
    api_key: str | Secret | None = None,
    model: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    home: Path | None = None,
    login: Callable[[str], str | None] | None = None,
    user_data: Path | None = None,
) -> Settings:
    """Read what is configured; arguments win. Nothing is written and no gateway is asked.

    Raises ConfigError for a value that does not work, and KeyWithheld when the only key there is
    must not go to the address.
    """
    for name, value in (("base_url", base_url), ("model", model)):
        _check_text(name, value)
    key = api_key.reveal() if isinstance(api_key, Secret) else api_key
    _check_text("api_key", key)
    arguments = {ADDRESS: base_url, KEY: key, MODEL: model, CHAT_MODEL: model}
    found = places(arguments, environ, folder, home)
    return _Reader(found, user_data or user_folder(), login).settings()


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str | None):  # the value may be a key: it is not repeated
        raise InputError(f"`{name}` is text, not a {type(value).__name__}.")


def _working_folder() -> Path | None:
    """None when somebody has deleted it: then there is no folder's `.env`."""
    try:
        return Path.cwd()
    except OSError:
        return None


def places(
    arguments: Mapping[str, str | None],
    environ: Mapping[str, str] | None,
    folder: Path | None,
    home: Path | None,
) -> Sequence[Source]:
    """All places in the order they are read; trust is another order (see sources.py).

    environ, folder, home: else those of this process. A folder's `.env` that is `~/.env` is only
    the latter.
    """
    folder, home = folder or _working_folder(), home or home_folder()
    given = {name: value for name, value in arguments.items() if value is not None}
    found = [
        Source("argument", Trust.ARGUMENT, given),
        Source("environment", Trust.ENVIRONMENT, os.environ if environ is None else environ),
    ]
    home = home.resolve() if home else None
    file = folder_file(folder.resolve()) if folder else None
    if file is not None and file.parent != home:
        name = f".env of {file.parent}"
        found.append(Source(name, Trust.FOLDER, read_file(file), file.parent))
    if home is not None:
        found.append(Source("~/.env", Trust.HOME, read_file(home / ".env"), home))
    return found


class _Reader:
    """One reading: it goes through the places and notes which name came from where."""

    def __init__(
        self, places: Sequence[Source], user_data: Path, login: Callable[[str], str | None] | None
    ) -> None:
        self.places = places
        self.user_data = user_data
        self.login = login
        self.sources: dict[str, str] = {}
        # What a folder may not say: who may read the traffic, and which file native code parses.
        self.own = [place for place in places if place.trust > Trust.FOLDER]

    def settings(self) -> Settings:
        model, chat, research = map(self.text, (MODEL, CHAT_MODEL, RESEARCH_MODEL))
        address = find(ADDRESS, self.places)
        endpoint = None
        if address is not None:
            base_url = gateway_address(address, self.places)
            self.sources[ADDRESS] = address.source.name
            key = self.key_for(base_url, address.source)
            endpoint = Endpoint(base_url, key, model, chat, research)
        return Settings(
            endpoint=endpoint,
            model=model,
            chat_model=chat,
            research_model=research,
            sandbox_corpus=self.corpus(),
            sandbox_pace=self.pace(),
            local_model=self.local_model(),
            ca_file=next(filter(None, (self.text(name, self.own) for name in CA_FILES)), None),
            proxies=MappingProxyType(self.proxies()),
            user_data=self.user_data,
            sources=MappingProxyType(self.sources),
        )

    def found(self, name: str, places: Sequence[Source] | None = None) -> Found | None:
        found = find(name, self.places if places is None else places)
        if found is not None:
            self.sources[name] = found.source.name
        return found

    def text(self, name: str, places: Sequence[Source] | None = None) -> str | None:
        found = self.found(name, places)
        return found.value if found else None

    def key_for(self, address: str, named_by: Source) -> Secret | None:
        """The first key that may go to `address`: see the rule at the top of this file."""
        found = [found for place in self.places if (found := find(KEY, [place]))]
        free = [each for each in found if self.may_go(each, address, named_by)]
        strongest = max((each.source.trust for each in free), default=Trust.FOLDER)
        typed_now = strongest < Trust.ARGUMENT and keys.typed_here(address)
        if (typed_now or strongest < Trust.ENVIRONMENT) and (kept := self.kept_key(address)):
            return kept
        if free:
            self.sources[KEY] = free[0].source.name
            return checked_key(free[0].value, free[0].source.name)
        if found:
            raise _withheld(address, named_by, found[0].source)
        return None

    def may_go(self, key: Found, address: str, named_by: Source) -> bool:
        if named_by.trust >= key.source.trust:
            return True
        folder = named_by.folder
        return folder is not None and trusted(folder, address, user_data=self.user_data)

    def kept_key(self, address: str) -> Secret | None:
        """The key of `%kit login` for exactly this address."""
        key = (self.login or keys.recall)(address)
        if not key:
            return None
        place = "login" if self.login else keys.kept_in(address) or "login"
        self.sources[KEY] = place
        return checked_key(key, place)

    def corpus(self) -> tuple[Path, ...]:
        found = self.found("KIT_SANDBOX_CORPUS")
        if found is None:
            return ()
        names = [name.strip() for name in found.value.split(os.pathsep)]
        folders = tuple(path_from(name, found.source) for name in names if name)
        for folder in folders:
            _check_folder(folder, found.source)
        return folders

    def local_model(self) -> Path | None:
        found = self.found("KIT_LOCAL_MODEL", self.own)
        return path_from(found.value, found.source) if found else None

    def pace(self) -> float:
        text = self.text("KIT_SANDBOX_PACE") or "1"
        try:
            pace = float(text)
        except ValueError:
            pace = -1.0
        if not 0 <= pace <= 1000:
            raise ConfigError(
                "KIT_SANDBOX_PACE is not a number from 0 (no waiting) to 1000: 1 is the default."
            )
        return pace

    def proxies(self) -> dict[str, str]:
        """HTTP_PROXY and its kind, upper-case names; the system's own where none is set."""
        set_here: dict[str, str] = {}
        for name in PROXIES:
            value = self.text(name.lower(), self.own) or self.text(name, self.own)
            if value:
                set_here[name] = value
        if set_here or self.places[1].values is not os.environ:
            return set_here
        import urllib.request  # brings all of http.client

        return {f"{kind.upper()}_PROXY": url for kind, url in urllib.request.getproxies().items()}


def _check_folder(folder: Path, source: Source) -> None:
    """A misspelt folder would only be missed in the answers, and by nobody."""
    if not os.path.isdir(folder):  # unlike Path.is_dir, whatever is wrong with the path
        written = "".join(one if one.isprintable() else "?" for one in str(folder)[:200])
        raise ConfigError(
            f"KIT_SANDBOX_CORPUS ({source.name}) names {written}, which is no folder.\n"
            f"Correct it, or make the folder; several are separated by {os.pathsep!r}."
        )


def path_from(name: str, source: Source) -> Path:
    """A path as its source means it: from the folder of its file, else from the working folder."""
    path = Path(name)
    try:
        path = path.expanduser()
    except RuntimeError:
        raise ConfigError(f"{name}: there is no such home folder. Write the path out.") from None
    return (source.folder or _working_folder() or Path()) / path


def _withheld(address: str, named_by: Source, key_from: Source) -> KeyWithheld:
    where = f"{named_by.folder / '.env'}" if named_by.folder else f"the {named_by.name}"
    key = "passed as an argument" if key_from.trust is Trust.ARGUMENT else f"from {key_from.name}"
    if named_by.folder is None:
        cure = f"pass base_url= together with api_key=, or set {KEY} in the environment"
    else:
        cure = f"run %kit trust, or set {ADDRESS} in the environment"
    return KeyWithheld(
        f"The key {key} was not sent: the address {address} comes from {where}.\n"
        f"If that address may have the key: {cure}."
    )
