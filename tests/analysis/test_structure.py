"""The analysis and the plots keep their layers, have no import cycle, and call what has many parts by name."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import rxspark

PACKAGE = Path(rxspark.__file__).parent
FILES = sorted([*(PACKAGE / "analysis").rglob("*.py"), *(PACKAGE / "plots").rglob("*.py")])

# Lower layers first; a package may import from its own layer and from those above it in this list.
LAYERS = [["arrays", "printing"], ["data"], ["formula"], ["glm", "kmeans"]]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

# The doors have the arguments that RevoScaleR's functions have.
DOORS = {"rxGlm", "rxKmeans", "rxLinePlot"}
MOST_PARAMETERS, MOST_POSITIONAL_FIELDS = 6, 4


def _name(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


def _module(file: Path) -> str:
    return ".".join(["rxspark", *file.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")


def _imported(file: Path) -> Iterator[str]:
    """Modules of rxspark that a file imports: within functions, and for types only, too."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rxspark."):
            yield str(node.module)


@pytest.mark.parametrize("file", [file for file in FILES if _name(file).startswith("analysis/")], ids=_name)
def test_packages_of_the_analysis_import_one_way(file: Path) -> None:
    """Tables know nothing of formulas, and formulas nothing of models."""
    inside = _module(file).split(".")[2:]
    for module in _imported(file):
        path = module.split(".")[1:]
        if inside and path[0] == "analysis":
            assert RANK[path[1]] <= RANK[inside[0]], f"{_name(file)} imports {module}, a layer above"


def test_no_module_needs_itself() -> None:
    """There is no circle of imports, not even for types."""
    graph = {_module(file): set(_imported(file)) for file in FILES}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) >= len(FILES)


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_functions_have_few_parameters(file: Path) -> None:
    """No function but the doors takes more than six parameters."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name not in DOORS:
            parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            counted = [one for one in parameters if one.arg not in ("self", "cls")]
            assert len(counted) <= MOST_PARAMETERS, f"{_name(file)}:{node.lineno} {node.name}"


def test_what_has_many_fields_is_made_by_their_names() -> None:
    """No dataclass with more than four fields is called by position."""
    trees = {file: ast.parse(file.read_text()) for file in FILES}
    large = {
        node.name
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
        and sum(isinstance(one, ast.AnnAssign) for one in node.body) > MOST_POSITIONAL_FIELDS
    }
    assert large >= {"RxGlm", "RxKmeans", "Chart", "Style"}
    for file, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in large:
                assert not node.args, f"{_name(file)}:{node.lineno} {node.func.id}"
