"""Rooms import downwards only, orbax is imported in one file, and no file is too long to read."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "grnjax"
RANK = {
    "types": 0,
    "errors": 0,
    "progress": 0,
    "storage": 1,
    "config": 1,
    "data": 2,
    "graphs": 2,
    "evaluation": 2,
    "plotting": 2,
    "evidence": 3,
    "baselines": 3,
    "models": 4,
    "training": 5,
    "foundation": 6,
    "methods": 7,
    "tasks": 8,
    "cli": 9,
}
LONGEST = 400


def list_modules(source):
    """The dotted modules that a source imports, wherever in it; `from a import b` gives a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from (f"{base}.{name.name}" for name in node.names)


def find_wrong_imports(path, source):
    """One sentence for each import that breaks a rule; `path` is relative to the package."""
    here = path.parts[0].removesuffix(".py")
    if here not in RANK:
        return [f"{path}: the room {here} has no rank"]
    wrong = []
    for module in list_modules(source):
        top, *inner = module.split(".")
        if top == "":
            wrong.append(f"{path}: {module} is a relative import")
        elif top == "orbax" and path.as_posix() != "storage/checkpoints.py":
            wrong.append(f"{path}: only storage/checkpoints.py imports orbax")
        elif top == "experiments" or top == "tests":
            wrong.append(f"{path}: the package must not import {top}")
        elif top == "grnjax" and (not inner or inner[0] not in RANK):
            wrong.append(f"{path}: {module} is no room")
        elif top == "grnjax" and inner[0] != here and RANK[inner[0]] >= RANK[here]:
            wrong.append(f"{path}: {here} must not import {inner[0]}")
    return wrong


def test_rooms_import_only_downwards():
    paths = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]
    wrong = [
        sentence
        for path in paths
        for sentence in find_wrong_imports(path.relative_to(PACKAGE), path.read_text())
    ]
    assert len(paths) > 10
    assert not wrong, "\n".join(wrong)


def test_a_wrong_import_is_caught_wherever_it_stands():
    def find(path, source):
        return find_wrong_imports(Path(path), source)

    assert find("models/gcn.py", "from grnjax.graphs.build import build_graph\nimport jax") == []
    assert find("cli.py", "from grnjax.tasks import infer") == []
    assert find("evaluation/splits.py", "from grnjax.evaluation.metrics import auroc") == []
    upward = "models/gcn.py: models must not import foundation"
    assert find("models/gcn.py", "from grnjax.foundation.reader import read") == [upward]
    assert find("models/gcn.py", "from grnjax import foundation") == [upward]
    assert find("models/gcn.py", "def f():\n    import grnjax.foundation.reader") == [upward]
    assert find("data/edges.py", "import grnjax.graphs.build as b") != []  # of equal rank
    assert find("plotting.py", "from grnjax.data.edges import read_edges") != []
    assert find("config.py", "from grnjax.storage.files import write_json") != []
    assert find("training/loop.py", "from orbax import checkpoint") != []
    assert find("storage/checkpoints.py", "import orbax.checkpoint as ocp") == []
    assert find("data/edges.py", "from . import genes") != []
    assert find("data/edges.py", "from ..graphs import build") != []
    assert find("data/edges.py", "import grnjax") != []
    assert find("data/edges.py", "from experiments import sweep") != []
    assert find("misc/helpers.py", "") == ["misc/helpers.py: the room misc has no rank"]


def test_no_file_is_too_long():
    lengths = {
        path.relative_to(ROOT): len(path.read_text().splitlines())
        for folder in ("grnjax", "experiments", "tests")
        for path in (ROOT / folder).rglob("*.py")
    }
    too_long = [f"{path}: {length}" for path, length in lengths.items() if length > LONGEST]
    assert not too_long, "\n".join(too_long)
