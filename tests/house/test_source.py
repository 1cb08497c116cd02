"""Limits on our own source: sizes, names of places, things left undone."""

from __future__ import annotations

import ast
import re
import statistics
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ("app", "adapters", "domain", "graphql", "migrations")
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_MEDIAN_MAX = 12
FILE_LINES_MAX = 400
TEXT = {".py", ".md", ".toml", ".yaml", ".graphql", ".mako", ".lock", ".sh", ""}
PRESENT = [
    "README.md",
    "CHANGELOG.md",
    "Makefile",
    "Dockerfile",
    "compose.yaml",
    ".dockerignore",
    ".gitignore",
    "pyproject.toml",
    "requirements.lock",
    ".ci/run",
    "graphql/schema.graphql",
    "docs/api.md",
    "docs/ledger.md",
    "docs/feed.md",
    "docs/decisions",
]
UNDONE = re.compile(r"\b(TODO|FIXME|HACK)\b|\bNotImplementedError\b")
MACHINE = re.compile(
    r"(?<![\w.$}])/(work|root|home|Users|tmp/[\w-]+)/\w|file://|\bpypi[-.]\w+/|registry\.\w+|files\.pythonhosted"
)
VAGUE = re.compile(r"(manager|helper|utils?|service|impl)s?$", re.IGNORECASE)


def source_files() -> list[Path]:
    return sorted(path for folder in CODE for path in (ROOT / folder).rglob("*.py"))


def written_files() -> Iterator[Path]:
    """Every text file of the checkout that could be committed."""
    for path in sorted(ROOT.iterdir()):
        if path.is_file() and path.suffix in TEXT and path.name not in (".git", ".installed"):
            yield path
        elif path.name in (*CODE, "tests", "docs", ".ci"):
            yield from (p for p in sorted(path.rglob("*")) if p.is_file() and p.suffix in TEXT)


def functions() -> list[tuple[int, str]]:
    found = []
    for path in source_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                found.append((length, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"))
    return found


def test_functions_fit_a_screen() -> None:
    found = functions()
    assert len(found) > 500
    assert [where for length, where in found if length > FUNCTION_LINES_MAX] == []
    assert statistics.median(length for length, _ in found) <= FUNCTION_LINES_MEDIAN_MAX


def test_files_are_split_by_verb_before_they_grow_long() -> None:
    """A migration is history: it stays as it was run."""
    lengths = {p: len(p.read_text().splitlines()) for p in source_files() if "versions" not in p.parts}
    assert {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > FILE_LINES_MAX} == {}


def test_the_name_graphql_belongs_to_graphql_core() -> None:
    assert not (ROOT / "graphql" / "__init__.py").exists()
    for folder in (ROOT / "tests").rglob("*"):
        if folder.is_dir() and folder.name != "__pycache__":
            assert folder.name != "graphql"
            assert (folder / "__init__.py").exists() or not list(folder.glob("*.py")), folder


def test_nothing_is_left_undone() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {hit[0]}" for path in source_files() if (hit := UNDONE.search(path.read_text()))
    ]
    assert found == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = []
    for path in written_files():
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if MACHINE.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_names_say_what_a_thing_does() -> None:
    found = []
    for path in source_files():
        names = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
        found += [f"{path.relative_to(ROOT)}: {name}" for name in (path.stem, *names) if VAGUE.search(name)]
    assert found == []


def test_the_lock_names_no_place_and_pins_everything_by_hash() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert (
        re.findall(r"(?m)^\s*(-\S+|.*(?:://| @ ).*)$", re.sub(r"(?m)^\s+--hash=sha256:[0-9a-f]{64}( \\)?$", "", text))
        == []
    )
    pins = re.findall(r"(?m)^([\w.-]+)(?:\[[\w,.-]+\])?==\S+", text)
    assert len(pins) > 50
    assert text.count("\n") > 0
    for block in re.split(r"(?m)^(?=[\w.-]+(?:\[[\w,.-]+\])?==)", text)[1:]:
        assert "--hash=sha256:" in block, block.splitlines()[0]


def test_every_direct_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    locked = {
        name.lower().replace("_", "-")
        for name in re.findall(r"(?m)^([\w.-]+)==", (ROOT / "requirements.lock").read_text())
    }
    names = {re.split(r"[\s\[<>=;]", one, maxsplit=1)[0].lower() for one in wanted}
    assert names - locked == set()


def test_what_a_checkout_needs_is_there() -> None:
    assert [name for name in PRESENT if not (ROOT / name).exists()] == []
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    decisions = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [name[:4] for name in decisions]
    assert all(number.isdigit() for number in numbers)
    assert len(numbers) == len(set(numbers)), decisions


def test_every_use_case_package_is_kept_from_the_api() -> None:
    """A new package under `app` must be named in the contract that forbids it to import `api`."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (named,) = [set(c["source_modules"]) for c in contracts if c["name"] == "use cases do not know the API"]
    there = {f"app.{path.parent.name}" for path in (ROOT / "app").glob("*/__init__.py")}
    assert there - named == set()
