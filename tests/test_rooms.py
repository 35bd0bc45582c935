"""Rooms import downwards only, files never in circles, and none is too long or too deep to read.

Imports count wherever they stand: at the top, inside a function, or for a type checker alone.
"""

import ast
import graphlib
import itertools
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
    "report": 9,
    "cli": 10,
}
LONGEST = 400  # lines of a file
DEEPEST = 3  # files of a chain of imports inside grnjax/tasks
MOST_POSITIONAL = 6  # parameters of a function, without self


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


def read_imports(sources):
    """The files that each file imports, of the sources by their path; `__init__` is its folder."""
    files = {}
    for path in sources:
        name = path.with_suffix("").as_posix().replace("/", ".")
        files[name.removesuffix(".__init__")] = path.as_posix()

    def imported(source):
        for module in list_modules(source):
            known = [name for name in (module, module.rpartition(".")[0]) if name in files]
            yield from (files[name] for name in known[:1])

    return {path.as_posix(): {*imported(source)} for path, source in sources.items()}


def read_sources(*folders):
    """The source of every file below the folders of the repository."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {path.relative_to(ROOT): path.read_text() for path in paths}


def find_circle(imports):
    """The files of a circle in the order of their imports; none if there is none."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return error.args[1][::-1]
    return []


def find_longest_chain(imports):
    """The longest chain of files that import each other, the first one importing the second."""
    chains = {}
    for path in graphlib.TopologicalSorter(imports).static_order():
        below = [chains[other] for other in imports.get(path, ())]
        chains[path] = [path, *max(below, key=len, default=[])]
    return max(chains.values(), key=len)


def test_no_files_import_each_other_in_circles():
    imports = read_imports(read_sources("grnjax", "experiments"))
    assert sum(map(len, imports.values())) > 500
    assert find_circle(imports) == []


def test_a_circle_is_found_wherever_the_imports_stand():
    sources = {
        Path("grnjax/data/edges.py"): "def read():\n    from grnjax.data.genes import match",
        Path("grnjax/data/genes.py"): "if TYPE_CHECKING:\n    from grnjax.data import names",
        Path("grnjax/data/names.py"): "import grnjax.data.edges",
        Path("grnjax/data/tables.py"): "from grnjax.data.names import NAMES",
    }
    imports = read_imports(sources)
    circle = find_circle(imports)
    assert {*circle} == {path.as_posix() for path in sources} - {"grnjax/data/tables.py"}
    assert all(after in imports[before] for before, after in itertools.pairwise(circle))
    del sources[Path("grnjax/data/genes.py")]
    assert find_circle(read_imports(sources)) == []
    assert len(find_longest_chain(read_imports(sources))) == 3


def test_tasks_are_not_deep():
    inside = read_imports(read_sources("grnjax/tasks"))
    chain = find_longest_chain(inside)
    assert len(inside) > 10 and 1 < len(chain) <= DEEPEST, " -> ".join(chain)


def find_many_parameters(source):
    """Line, name and number of positional parameters of the functions that take too many."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            given = [*node.args.posonlyargs, *node.args.args]
            count = len(given) - (given[:1] != [] and given[0].arg in ("self", "cls"))
            if count > MOST_POSITIONAL:
                yield f"{node.lineno}: {getattr(node, 'name', 'lambda')} takes {count}"


def test_no_function_has_many_positional_parameters():
    sources = read_sources("grnjax", "experiments")
    many = [f"{path}:{x}" for path, source in sources.items() for x in find_many_parameters(source)]
    assert not many, "\n".join(many)
    parameters = ", ".join("abcdef")
    assert not [*find_many_parameters(f"def fit(self, {parameters}, *, seed, mesh): ...")]
    assert [*find_many_parameters(f"def fit({parameters}, g): ...")] == ["1: fit takes 7"]


def test_no_file_is_too_long():
    lengths = {
        path.relative_to(ROOT): len(path.read_text().splitlines())
        for folder in ("grnjax", "experiments", "tests")
        for path in (ROOT / folder).rglob("*.py")
    }
    too_long = [f"{path}: {length}" for path, length in lengths.items() if length > LONGEST]
    assert not too_long, "\n".join(too_long)
