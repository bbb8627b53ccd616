"""The conda files and the Apptainer recipe install what the pip requirements install."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import mluke_core

KINDS = {
    "mluke": "requirements.txt",
    "dev": "requirements-dev.txt",
    "cluster": "requirements-cluster.txt",
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def lines(path: Path) -> list[str]:
    found = (line.split("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    return [line for line in found if line]


def pinned(root: Path, requirements: str) -> set[str]:
    """``name==version`` of each requirement, as constraints.txt pins it."""
    versions = dict(line.split("==") for line in lines(root / "constraints.txt"))
    versions = {normal(name): version for name, version in versions.items()}
    names = [normal(line) for line in lines(root / requirements)]
    assert set(names) <= set(versions), "pin them: make constraints"
    return {f"{name}=={versions[name]}" for name in names}


def conda(root: Path, name: str) -> dict[str, list]:
    return yaml.safe_load((root / "envs" / f"{name}.yaml").read_text("utf-8"))


@pytest.mark.parametrize("name", KINDS)
def test_conda_files_have_the_same_packages(root: Path, name: str) -> None:
    (from_pip,) = (
        entry["pip"] for entry in conda(root, name)["dependencies"] if isinstance(entry, dict)
    )
    found = {normal(line.split("==")[0]) + "==" + line.split("==")[1] for line in from_pip}
    expected = pinned(root, KINDS[name])
    assert found == expected, "write envs/*.yaml anew: make envs"


@pytest.mark.parametrize("name", KINDS)
def test_conda_files_stand_alone(root: Path, name: str) -> None:
    """Snakemake copies the file before it makes the environment: a path in it would break."""
    text = (root / "envs" / f"{name}.yaml").read_text("utf-8")
    assert "-r " not in text
    assert "-c " not in text


def test_one_python_everywhere(root: Path) -> None:
    project = (root / "pyproject.toml").read_text("utf-8")
    oldest = re.search(r'requires-python = ">=(3\.\d+)"', project)[1]
    for name in KINDS:
        assert f"python={oldest}" in conda(root, name)["dependencies"]
    assert f"From: python:{oldest}-" in (root / "envs" / "mluke.def").read_text("utf-8")


def test_one_version_everywhere(root: Path) -> None:
    project = (root / "pyproject.toml").read_text("utf-8")
    assert f'\nversion = "{mluke_core.__version__}"\n' in project
    citation = (root / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {mluke_core.__version__}\n" in citation


def test_the_recipe_installs_the_pinned_requirements(root: Path) -> None:
    recipe = (root / "envs" / "mluke.def").read_text("utf-8")
    for name in ("requirements.txt", "requirements-cluster.txt", "constraints.txt"):
        assert re.search(rf"^ +{name} /mluke/{name}$", recipe, re.M), name
    assert "-c /mluke/constraints.txt" in recipe
    assert "-r /mluke/requirements.txt -r /mluke/requirements-cluster.txt" in recipe
