"""The layout holds: imports run one way, heavy libraries stay where they belong, files stay readable."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Container, Iterator
from pathlib import Path

import pytest

import rxspark

PACKAGE = Path(rxspark.__file__).parent
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

# Lower layers first; a module may import from its own layer and from those above it in this list.
LAYERS = [
    [
        "concurrency",
        "errors",
        "extras",
        "html_tables",
        "options",
        "process",
        "redaction",
        "validation",
    ],
    ["files"],
    ["data"],
    ["rng"],
    ["worker"],
    ["results"],
    ["contexts"],
    ["calls", "user_paths"],
    ["serialize"],
    ["backends"],
    ["jobs"],
    ["execute"],
    ["nodes", "hadoop", "deploy"],
    ["analysis"],
    ["groups"],
    ["revoscalepy"],
    ["plots"],
    ["doctor"],
    ["__main__"],
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

# Libraries that only these files may name: each has one door.
DOORS = {
    "pyspark": {
        "backends/spark/accumulator.py",
        "backends/spark/classic.py",
        "backends/spark/classic_session.py",
        "backends/spark/cluster.py",
        "backends/spark/connect.py",
        "backends/spark/connect_link.py",
        "backends/spark/connect_worker.py",
        "backends/spark/grouped.py",
        "backends/spark/package.py",
        "backends/spark/session.py",
        "backends/spark/worker_start.py",
        "backends/spark/yarn.py",
        "analysis/data/spark_data.py",
    },
    "py4j": {
        "backends/spark/classic.py",
        "backends/spark/classic_session.py",
        "backends/spark/session.py",
        "backends/spark/yarn.py",
    },
    "findspark": {"backends/spark/install.py"},
    "joblib": {"backends/foreach.py"},
    "loky": {"backends/local.py"},
    "fsspec": {"files/paths.py"},
    "hdfs_native": {"files/hdfs.py"},
    "ctypes": {"rng/mkl.py", "rng/numba_random.py", "rng/quasi.py", "worker/capture.py", "worker/settings/native.py"},
    "tqdm": {"jobs/progress.py"},
    "matplotlib": {"plots/drawing.py", "plots/lineplot.py", "plots/style.py"},
}

# Imports of our own inside functions: each backend is loaded only when its context is used, NumPy by the first task
# rather than by `import rxspark`, and what an analysis needs by the first analysis.
LAZY = {
    "backends/__init__.py",
    "serialize/payload.py",
    "worker/results.py",
    "worker/nested.py",
    "worker/runner.py",
    "nodes.py",
    "serialize/share.py",
    "backends/spark/application.py",
    "rng/api.py",
    "rng/pickling.py",
    "rng/kinds.py",
    "analysis/data/opening.py",
    "analysis/glm/api.py",
    "analysis/kmeans/api.py",
    "groups/api.py",
    "plots/chart.py",
    "plots/lineplot.py",
}


def _files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _name(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


def _imports(tree: ast.AST) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or "", node.lineno))
    return found


@pytest.mark.parametrize("file", _files(), ids=_name)
def test_imports_run_one_way(file: Path) -> None:
    """No module imports from a layer above its own."""
    layer = _name(file).split("/")[0].removesuffix(".py")
    if layer == "__init__":
        return
    for module, line in _imports(ast.parse(file.read_text())):
        if module.startswith("rxspark."):
            imported = module.split(".")[1]
            assert RANK[imported] <= RANK[layer], f"{_name(file)}:{line} imports {module}, a layer above"


@pytest.mark.parametrize("file", _files(), ids=_name)
def test_each_outside_library_has_one_door(file: Path) -> None:
    """Libraries that could be exchanged are named in few files only."""
    for module, line in _imports(ast.parse(file.read_text())):
        allowed = DOORS.get(module.split(".")[0])
        assert allowed is None or _name(file) in allowed, f"{_name(file)}:{line} imports {module}"


@pytest.mark.parametrize("file", _files(), ids=_name)
def test_own_imports_inside_functions_are_the_listed_ones(file: Path) -> None:
    """An import of our own inside a function, which may hide a cycle, is there for a stated reason only."""
    for function in ast.walk(ast.parse(file.read_text())):
        if isinstance(function, FUNCTIONS):
            own = [line for module, line in _imports(function) if module.split(".")[0] == "rxspark"]
            assert not own or _name(file) in LAZY, f"{_name(file)}:{own[0]}"


def test_no_import_closes_a_circle() -> None:
    """Not even imports inside functions or for type checkers alone do: each module is understood before its users."""
    known = {_module(file): file for file in _files()}
    needs = {name: _own_imports(file, known) - {name} for name, file in known.items()}
    while first := {name for name, needed in needs.items() if not needed}:  # modules whose imports are all done
        needs = {name: needed - first for name, needed in needs.items() if name not in first}
    assert needs == {}


def _own_imports(file: Path, known: Container[str]) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {path if path in known else node.module for path in inside.values()}
    return {name for name in found if name in known}


@pytest.mark.parametrize("file", _files(), ids=_name)
def test_files_classes_and_functions_stay_readable(file: Path) -> None:
    """No file has more than 400 lines, no class more than 250, no function more than 50 besides its docstring."""
    text = file.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            assert _lines(node) <= 250, f"{_name(file)}: class {node.name}"
        elif isinstance(node, FUNCTIONS):
            body = node.body[0]
            docstring = _lines(body) if ast.get_docstring(node, clean=False) is not None else 0
            assert _lines(node) - docstring <= 50, f"{_name(file)}: {node.name}"


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


# Doors for users, whose arguments are those of RevoScaleR's and revoscalepy's functions.
DOORS_FOR_USERS = {"rxExec", "rxExecBy", "rxGlm", "rxKmeans", "rxLinePlot", "rx_exec"}


@pytest.mark.parametrize("file", _files(), ids=_name)
def test_functions_take_few_arguments(file: Path) -> None:
    """No function has more than six parameters, `*args` and `**kwargs` included; but for what users know by others."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, FUNCTIONS) and node.name not in DOORS_FOR_USERS:
            given = node.args
            names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            names += [one.arg for one in (given.vararg, given.kwarg) if one is not None]
            assert len([name for name in names if name not in ("self", "cls")]) <= 6, f"{_name(file)}: {node.name}"


def _large_records() -> dict[str, int]:
    """Our dataclasses and named tuples of more than four fields, by module and name, with how many they have."""
    found = {}
    for file in _files():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                about = [ast.unparse(one) for one in (*node.decorator_list, *node.bases)]
                fields = sum(isinstance(one, ast.AnnAssign) for one in node.body)
                if fields > 4 and any(re.match(r"dataclass\b|NamedTuple$", one) for one in about):
                    found[f"{_module(file)}.{node.name}"] = fields
    return found


@pytest.mark.parametrize("folder", ["rxspark", "tests", "scripts", "examples"])
def test_values_of_large_records_are_named(folder: str) -> None:
    """A dataclass or named tuple of more than four fields is made with names for all values after the fourth."""
    large = _large_records()
    assert len(large) > 20
    for file in sorted((PACKAGE.parent / folder).rglob("*.py")):
        tree = ast.parse(file.read_text())
        here = {
            name.rpartition(".")[2] for name in large if folder == "rxspark" and name.startswith(_module(file) + ".")
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                here |= {alias.asname or alias.name for alias in node.names if f"{node.module}.{alias.name}" in large}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in here:
                positional = [9 if isinstance(one, ast.Starred) else 1 for one in node.args]  # as many as there may be
                assert sum(positional) <= 4, f"{file}:{node.lineno}: {node.func.id}"


def test_import_loads_nothing_heavy() -> None:
    """`import rxspark` loads neither PySpark, pandas, MKL, NumPy, joblib nor loky."""
    heavy = [
        "pyspark",
        "pandas",
        "numpy",
        "mkl_random",
        "mkl",
        "joblib",
        "loky",
        "matplotlib",
        "tqdm",
        "pyarrow",
        "fsspec",
        "sklearn",
        "scipy",
    ]
    code = f"import sys, rxspark; print([m for m in {heavy!r} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"


def test_the_worker_loads_no_analysis_library() -> None:
    """The code that executors import to run a task loads no PySpark, pandas, joblib, loky or matplotlib by itself."""
    heavy = ["pyspark", "pandas", "joblib", "loky", "matplotlib", "mkl_random"]
    code = f"import sys, rxspark.worker.runner; print([m for m in {heavy!r} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"


def test_public_names_are_complete_documented_and_typed() -> None:
    """`__all__` is sorted and complete; every public function has a docstring with an example, and type hints."""
    public = {
        name for name in vars(rxspark) if name.lower().startswith("rx") or name in ("ComputeContext", "setMKLthreads")
    }
    assert set(rxspark.__all__) == public - {"rxspark"}
    assert rxspark.__all__ == sorted(rxspark.__all__)
    for name in rxspark.__all__:
        thing = getattr(rxspark, name)
        assert inspect.getdoc(thing), f"{name} has no docstring"
        if inspect.isfunction(thing):
            assert ">>>" in (thing.__doc__ or ""), f"{name} has no example"
            assert inspect.signature(thing).return_annotation is not inspect.Signature.empty, name


# Runs the examples of all modules that it is given, one after another.
_EXAMPLES = """
import doctest, importlib, sys
found = [doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS) for name in sys.argv[1:]]
print(sum(one.attempted for one in found))
sys.exit(any(one.failed for one in found))
"""


def test_examples_in_docstrings_run() -> None:
    """The examples that the docstrings show give what they say."""
    shown = {file: len(re.findall(r"^\s*>>> ", file.read_text(), re.MULTILINE)) for file in _files()}
    modules = [_module(file) for file, examples in shown.items() if examples]
    run = subprocess.run([sys.executable, "-c", _EXAMPLES, *modules], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert int(run.stdout) > len(modules) > 30


def _module(file: Path) -> str:
    return ".".join(["rxspark", *file.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")


@pytest.mark.parametrize("name", [name for name in rxspark.__all__ if inspect.isfunction(getattr(rxspark, name))])
def test_docstrings_describe_the_signature(name: str) -> None:
    """Each parameter of a public function is described, and no other; and what it returns."""
    function = getattr(rxspark, name)
    text = inspect.getdoc(function) or ""
    assert _described(text) == set(inspect.signature(function).parameters)
    gives_nothing = inspect.signature(function).return_annotation == "None"
    assert gives_nothing or re.search(r"^(Returns|Yields)\n-+$", text, re.MULTILINE)


def _described(text: str) -> set[str]:
    """Names in the section Parameters of a docstring."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?:^\w+\n---|\Z)", text, re.MULTILINE | re.DOTALL)
    described = re.findall(r"^\S.*?(?= : |$)", section[1], re.MULTILINE) if section else []
    return {name.strip(" *") for line in described for name in line.split(",")}


@pytest.mark.parametrize("folder", ["rxspark", "tests", "scripts", "examples"])
def test_docstrings_begin_with_a_noun_or_a_verb(folder: str) -> None:
    """None begins with "What ..." or "Whether ...", which define a thing by a clause without a noun."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for file in sorted((PACKAGE.parent / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            text = (ast.get_docstring(node) if isinstance(node, kinds) else None) or "A noun"
            assert text.split()[0] not in {"How", "That", "What", "Whether", "Which", "Who"}, f"{file}: {text}"


@pytest.mark.parametrize("folder", ["rxspark", "tests", "scripts", "examples"])
def test_files_that_comments_name_are_there(folder: str) -> None:
    """A file that was moved is named by its new path, from the project's folder or from the package's."""
    rooms = "|".join(path.name for path in (*PACKAGE.iterdir(), *PACKAGE.parent.iterdir()) if path.is_dir())
    named = re.compile(rf"(?<![\w/.<{{])(?:{rooms})/(?:[a-z_]+/)*[a-z_]+\.(?:py|md|R|sh)\b")
    for file in sorted((PACKAGE.parent / folder).rglob("*.py")):
        for name in named.findall(file.read_text()):
            found = [base / name for base in (PACKAGE.parent, PACKAGE) if (base / name).exists()]
            assert found, f"{file} names {name}"


def test_each_test_is_in_the_folder_of_its_kind() -> None:
    """None lies beside the folders; where a folder tells what its tests start, they carry no marker of their own."""
    tests = PACKAGE.parent / "tests"
    assert not list(tests.glob("test_*.py"))
    marked = re.compile(r"mark\.(spark|hadoop)\b")
    files = [file for folder in ("unit", "spark", "cluster") for file in (tests / folder).rglob("*.py")]
    assert len(files) > 20
    assert not [file for file in files if marked.search(file.read_text())]


def test_tests_wait_for_conditions() -> None:
    """No test sleeps, and no loop of the tests does, which polls in a way of its own: `waiting` has all the ways.

    A task, or another function inside of a test, may sleep once: that is what it does.
    """
    tests = PACKAGE.parent / "tests"
    for file in sorted(tests.rglob("*.py")):
        if file != tests / "support" / "waiting.py":
            for node in ast.walk(ast.parse(file.read_text())):
                test = isinstance(node, FUNCTIONS) and node.name.startswith("test_")
                if test or isinstance(node, ast.While):
                    sleeps = [line for name, line in _own_calls(node) if name == "time.sleep"]
                    assert not sleeps, f"{file}:{sleeps[0]} sleeps"


def _own_calls(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Functions that are called here, but for those within functions inside."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.Call):
            yield ast.unparse(inner.func), inner.lineno
        if not isinstance(inner, (*FUNCTIONS, ast.Lambda)):
            yield from _own_calls(inner)
