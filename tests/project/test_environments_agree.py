"""pyproject.toml says what we need; environment.yml and constraints.txt say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from rattler import MatchSpec

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CONDA: dict[str, Any] = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
LINES = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
PINS = [Requirement(line) for line in LINES if not line.startswith("#")]
SUPPORTED = ("3.11.0", "3.12.0", "3.13.0")
# What a package is called on conda-forge, where that is not what PyPI calls it.
ON_CONDA = {"docstring-parser": "docstring_parser"}


def required() -> dict[str, Requirement]:
    return {name_of(line): Requirement(line) for line in PROJECT["dependencies"]}


def name_of(line: str) -> str:
    return canonicalize_name(Requirement(line).name)


def conda_specs() -> dict[str, MatchSpec]:
    specs = [MatchSpec(line) for line in CONDA["dependencies"] if isinstance(line, str)]
    return {spec.name.normalized: spec for spec in specs if spec.name is not None}


def test_conda_installs_what_pip_installs() -> None:
    """The same packages, from conda-forge alone, and then this checkout on top."""
    names = {ON_CONDA.get(name, name) for name in required()}
    assert conda_specs().keys() == names | {"python", "pip"}
    assert CONDA["channels"] == ["conda-forge", "nodefaults"]
    assert CONDA["dependencies"][-1] == {"pip": ["-e ."]}
    assert CONDA.keys() == {"name", "channels", "dependencies"}


@pytest.mark.parametrize("name", sorted(required()))
def test_conda_takes_the_versions_that_pip_takes(name: str) -> None:
    theirs = conda_specs()[ON_CONDA.get(name, name)].version
    assert SpecifierSet(theirs or "") == required()[name].specifier


def test_conda_and_pip_ask_for_the_same_pythons() -> None:
    assert conda_specs()["python"].version == ">=3.11,<3.14"
    assert all(SpecifierSet(PROJECT["requires-python"]).contains(text) for text in SUPPORTED)


@pytest.mark.parametrize("version", ["7.0.1", "7.1.0", "7.2.0", "7.3.0"])
def test_the_broken_kernels_are_excluded_everywhere(version: str) -> None:
    """ipykernel 7.0 to 7.3 lose requests that wait (ipython/ipykernel#1554)."""
    assert not required()["ipykernel"].specifier.contains(version)
    assert [str(pin.specifier) for pin in PINS if pin.name == "ipykernel"] != [f"=={version}"]


def test_a_constraint_is_one_exact_version_and_no_address() -> None:
    wrong = [
        str(pin)
        for pin in PINS
        if pin.url or pin.extras or not re.fullmatch(r"==[0-9][0-9a-z.+!]*", str(pin.specifier))
    ]
    assert wrong == []
    assert [line for line in LINES if re.search(r"://|file:|--|\\|@", line)] == []


@pytest.mark.parametrize("python", SUPPORTED)
def test_the_constraints_cover_every_extra(python: str) -> None:
    """Each direct requirement has exactly one pin on this Python, and the pin fits it."""
    for requirement in every_requirement():
        pins = [pin for pin in PINS if same(pin, requirement) and applies(pin, python)]
        assert len(pins) == 1, requirement
        [version] = (specifier.version for specifier in pins[0].specifier)
        assert requirement.specifier.contains(Version(version)), requirement


def every_requirement() -> list[Requirement]:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return [Requirement(line) for group in groups for line in group]


def same(pin: Requirement, requirement: Requirement) -> bool:
    return canonicalize_name(pin.name) == canonicalize_name(requirement.name)


def applies(pin: Requirement, python: str) -> bool:
    machine = default_environment() | {
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
    }
    return pin.marker is None or pin.marker.evaluate({**machine})
