"""What the source of a step's code says: which keys of ctx it reads and writes, and whether it uses its key.

Only what stands there is believed. Code that can't be read, or hands ctx on to other code, may do anything:
``Facts.may_write`` and ``Facts.may_use_key`` say so, and no finding follows from it.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

KEY_NAMES = frozenset({"step_key", "execution_id", "current"})
PURE = frozenset(
    {
        "abs",
        "all",
        "any",
        "bool",
        "dict",
        "enumerate",
        "float",
        "getattr",
        "hasattr",
        "int",
        "isinstance",
        "len",
    }
    | {"list", "max", "min", "print", "range", "repr", "reversed", "round", "set", "sorted", "str", "sum"}
    | {"tuple", "zip", "Decimal"}
)
"""Calls of these change nothing outside."""


@dataclass
class Facts:
    """What is known of some code.

    Attributes:
        known: Whether its source could be read.
        reads: Keys of ctx that it reads without asking whether they are there.
        writes: Keys of ctx that it writes.
        returns: Keys of mappings that it returns.
        asked: Keys that it asks for: ``"k" in ctx``, ``ctx.get("k")``.
        may_write: Whether it may write other keys, too.
        may_return: Whether it may return a mapping with other keys.
        uses_key: Whether it mentions the step's key.
        acts: Whether it calls anything that may have an effect outside.
        hands_on: Whether it gives ctx, or itself, to other code.
    """

    known: bool = True
    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    returns: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    may_write: bool = False
    may_return: bool = False
    uses_key: bool = False
    acts: bool = False
    hands_on: bool = False

    @property
    def may_use_key(self) -> bool:
        """Whether it uses the step's key, or something that it calls might."""
        return self.uses_key or self.hands_on or not self.known


UNKNOWN = Facts(known=False, may_write=True, may_return=True, acts=True, hands_on=True)


def facts_of(function: Any, owner: type, *, task: bool = False) -> Facts:
    """Give what the source of a function says.

    Args:
        function: A method of the workflow, a function of ctx, or a task's method.
        owner: The class of the workflow or the task: where the methods are that it calls by ``self``.
        task: Whether it is a task's method, which takes ctx as an argument.
    """
    facts = Facts()
    return facts if _read(function, owner, facts, {""}, task=task) else UNKNOWN


def _read(function: Any, owner: type, facts: Facts, seen: set[str], *, task: bool) -> bool:
    plain = inspect.unwrap(getattr(function, "__func__", function))
    node = _node(plain)
    if node is None:
        return False
    reader = _Reader(node, facts, task=task)
    for statement in [_as_return(node)] if isinstance(node, ast.Lambda) else node.body:
        reader.visit(statement)
    for name in sorted(reader.methods - seen):
        seen.add(name)
        method = inspect.getattr_static(owner, name, None)
        inner = Facts()
        if not callable(method) or not _read(method, owner, inner, seen, task=task):
            inner = UNKNOWN
        _join(facts, inner)
    return True


def _join(facts: Facts, inner: Facts) -> None:
    """Take over what a method does that is called by ``self``; what it returns stays in the code."""
    facts.reads |= inner.reads
    facts.writes |= inner.writes
    facts.asked |= inner.asked
    facts.may_write |= inner.may_write
    facts.uses_key |= inner.uses_key
    facts.acts |= inner.acts
    facts.hands_on |= inner.hands_on


Code = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def _node(function: Callable[..., Any]) -> Code | None:
    """Give the syntax of a function; None where it can't be found, or not for certain."""
    try:
        tree = ast.parse(_complete(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    name = getattr(function, "__name__", "")
    kinds = ast.Lambda if name == "<lambda>" else (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    named = [node for node in found if isinstance(node, ast.Lambda) or node.name == name]
    return named[0] if named and (name != "<lambda>" or len(named) == 1) else None


def _complete(text: str) -> str:
    """Give the lines of a lambda as something that can be parsed."""
    return textwrap.dedent(text).strip().rstrip(",")


def _as_return(node: ast.Lambda) -> ast.Return:
    return ast.copy_location(ast.Return(node.body), node)


class _Reader(ast.NodeVisitor):
    """Reads one function."""

    def __init__(self, node: Code, facts: Facts, *, task: bool) -> None:
        self.methods: set[str] = set()
        self._facts = facts
        names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
        self._self = "self" if names[:1] == ["self"] else ""
        if self._self and not task:
            self._ctx = {"ctx"}.intersection(names)  # a method of the workflow finds it at self.ctx
        else:
            self._ctx = set(names[1:2] if self._self else names[:1])

    def _is_ctx(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return node.id in self._ctx
        return isinstance(node, ast.Attribute) and node.attr == "ctx" and self._is_self(node.value)

    def _is_self(self, node: ast.AST) -> bool:
        return bool(self._self) and isinstance(node, ast.Name) and node.id == self._self

    def _note(self, key: str, context: ast.expr_context) -> None:
        if key in KEY_NAMES:
            self._facts.uses_key = True
        elif isinstance(context, ast.Store):
            self._facts.writes.add(key)
        elif isinstance(context, ast.Load):
            self._facts.reads.add(key)

    # --- What is looked at ------------------------------------------------------------------------

    def visit_Assign(self, node: ast.Assign) -> None:
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        if self._is_ctx(node.value) and names:
            self._ctx.update(names)
            return
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if self._is_ctx(node.value):
            self._note(node.attr, node.ctx)
            return
        if node.attr in KEY_NAMES:
            self._facts.uses_key = True
        if self._is_ctx(node):
            self._facts.hands_on = self._facts.may_write = True
            return
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not self._is_ctx(node.value):
            self.generic_visit(node)
            return
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            self._note(node.slice.value, node.ctx)
        else:
            self._facts.may_write |= isinstance(node.ctx, ast.Store)
            self.visit(node.slice)

    def visit_Compare(self, node: ast.Compare) -> None:
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, ast.In | ast.NotIn) and self._is_ctx(right):
                self._facts.asked |= _texts(node.left)
                return
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        if isinstance(function, ast.Attribute) and self._is_ctx(function.value):
            self._method_of_ctx(function.attr, node)
        else:
            self._called(function)
        for argument in _arguments(node):
            if self._is_ctx(argument) or self._is_self(argument):
                self._facts.hands_on = self._facts.may_write = True
            else:
                self.visit(argument)

    def _called(self, function: ast.expr) -> None:
        if isinstance(function, ast.Attribute) and self._is_self(function.value):
            self.methods.add(function.attr)
            return
        self._facts.acts |= not (isinstance(function, ast.Name) and function.id in PURE)
        self.visit(function)

    def _method_of_ctx(self, name: str, node: ast.Call) -> None:
        first = node.args[0] if node.args else None
        key = first.value if isinstance(first, ast.Constant) else None
        if name in {"get", "pop"} and isinstance(key, str):
            self._facts.asked.add(key)
        elif name == "setdefault" and isinstance(key, str):
            self._facts.writes.add(key)
        elif name not in {"keys", "values", "items", "get"}:
            self._facts.may_write = True

    def visit_Raise(self, node: ast.Raise) -> None:
        """Making an error changes nothing outside; what is told with it may read ctx."""
        acts = self._facts.acts
        self.generic_visit(node)
        self._facts.acts = acts

    def visit_Return(self, node: ast.Return) -> None:
        value = node.value
        if isinstance(value, ast.Dict) and all(key is not None and _is_text(key) for key in value.keys):
            self._facts.returns |= {text for key in value.keys if key is not None for text in _texts(key)}
        elif value is not None and not isinstance(value, ast.Constant | ast.JoinedStr | ast.Compare):
            self._facts.may_return = True
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in KEY_NAMES:
            self._facts.uses_key = True
        elif self._is_ctx(node) and isinstance(node.ctx, ast.Load):
            self._facts.hands_on = self._facts.may_write = True


def _arguments(node: ast.Call) -> Iterator[ast.expr]:
    for argument in node.args:
        yield argument.value if isinstance(argument, ast.Starred) else argument
    for keyword in node.keywords:
        yield keyword.value


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _texts(node: ast.AST) -> set[str]:
    constants = (leaf.value for leaf in ast.walk(node) if isinstance(leaf, ast.Constant))
    return {value for value in constants if isinstance(value, str)}
