"""Where a module can be broken, and how: small changes of one expression that a test should notice.

A change is known by file, function, what stood there and what stands there instead, so that a line more above it
changes nothing. Three categories are never left out: `sign` (a difference, a direction), `mask` (a filter, a guard) and
`denominator` (a division, a mean). Of the others each function has a few, chosen by a digest of the change.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ALWAYS = ("sign", "mask", "denominator")
"""Categories of which every site is tried."""
_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_EDGE: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Lt: ast.LtE, ast.LtE: ast.Lt}
_OTHER_END = {"min": "max", "minimum": "maximum", "amin": "amax", "argmin": "argmax", "any": "all"}
_OTHER_END |= {there: here for here, there in _OTHER_END.items()}
_MASK = re.compile(r"mask|valid|^is_|finite|kept", re.I)
_NUMBER = re.compile(r"(float|int|Floats|Tensor|torch\.Tensor)( \| None)?")
_SAYING = ("log", "warn", "print")
_FIXED_KEYWORDS = ("strict", "kw_only", "frozen", "slots", "maintain_order", "exist_ok", "weights_only", "copy")


@dataclass(frozen=True)
class Mutation:
    """One change of one file.

    Args:
        file: Path below the root.
        function: Where in it, dotted; empty for the module itself.
        category: What kind of change it is.
        line: Line of the changed expression.
        lines: Lines of which one must run for a test to tell; empty for what runs on import.
        before: The expression that stands there.
        after: What it is changed to.
        nth: Which of equal changes in the function, from 1.
        place: Which expression of the file, in the order of `_expressions`.
        way: Which of its changes.
    """

    file: str
    function: str
    category: str
    line: int
    lines: frozenset[int]
    before: str
    after: str
    nth: int
    place: int
    way: int

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What it is known by, whatever the line."""
        return self.file, self.function, self.before, self.after, self.nth

    @property
    def weight(self) -> str:
        """Decides which of a function's changes are tried."""
        return hashlib.sha256(repr(self.key).encode()).hexdigest()


@dataclass(frozen=True)
class _Place:
    node: ast.expr
    parent: ast.AST
    field: str
    index: int | None
    function: str
    lines: frozenset[int]
    returns: str


def mutations(file: Path, root: Path, per_function: int | None = None) -> list[Mutation]:
    """All changes of a file in the order of its lines; of the categories outside `ALWAYS` so many a function."""
    found: list[Mutation] = []
    seen: Counter[tuple[str, str, str]] = Counter()
    for number, place in enumerate(_expressions(ast.parse(file.read_text(encoding="utf-8")))):
        before = ast.unparse(place.node)
        for way, (category, changed) in enumerate(_changes(place)):
            after = ast.unparse(changed)
            same = (place.function, before, after)
            seen[same] += 1
            name, line = file.relative_to(root).as_posix(), place.node.lineno
            found.append(
                Mutation(name, place.function, category, line, place.lines, before, after, seen[same], number, way)
            )
    if per_function is None:
        return found
    chosen = set()
    for function in {m.function for m in found}:
        others = [m for m in found if m.function == function and m.category not in ALWAYS]
        chosen |= set(sorted(others, key=lambda m: m.weight)[:per_function])
    return [m for m in found if m.category in ALWAYS or m in chosen]


def mutated(source: str, mutation: Mutation) -> ast.Module:
    """The tree of a file's source with one change made."""
    tree = ast.parse(source)
    place = list(_expressions(tree))[mutation.place]
    changed = ast.copy_location(list(_changes(place))[mutation.way][1], place.node)
    if place.index is None:
        setattr(place.parent, place.field, changed)
    else:
        getattr(place.parent, place.field)[place.index] = changed
    return ast.fix_missing_locations(tree)


def _expressions(tree: ast.Module) -> Iterator[_Place]:
    yield from _below(tree, "", frozenset(), "")


def _below(node: ast.AST, function: str, lines: frozenset[int], returns: str) -> Iterator[_Place]:
    """Expressions that are computed, in order; not annotations, messages, decorators, imports."""
    for field, value in ast.iter_fields(node):
        if field in _uncounted(node):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else ((None, value),):
            if not isinstance(child, ast.AST) or _is_told(child):
                continue
            inner, where, told = function, lines, returns
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                inner = f"{function}.{child.name}".lstrip(".")
                if not isinstance(child, ast.ClassDef):
                    told = ast.unparse(child.returns) if child.returns else ""
                    where = _span(child.body[0]) | _span(child.body[-1])
            elif isinstance(child, ast.stmt) and where:
                where = _span(child) if not hasattr(child, "body") else frozenset({child.lineno})
            if isinstance(child, ast.expr):
                if where:
                    where = where | _span(child)
                yield _Place(child, node, field, index, function, where, returns)
            yield from _below(child, inner, where, told)


def _span(node: ast.stmt | ast.expr) -> frozenset[int]:
    return frozenset(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _uncounted(node: ast.AST) -> tuple[str, ...]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return "decorator_list", "returns"
        case ast.ClassDef():
            return "decorator_list", "bases", "keywords"
        case ast.arg() | ast.AnnAssign():
            return ("annotation", "target")
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return "test", "body"
        case ast.keyword(arg=name) if name in _FIXED_KEYWORDS:
            return ("value",)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            return ("operand",)
        case ast.Call(func=ast.Name(id="isinstance")):
            return ("args",)
        case _:
            return ()


def _is_told(node: ast.AST) -> bool:
    """Whether a part says something to a person or a type checker and computes nothing."""
    match node:
        case ast.Raise() | ast.Assert() | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Call(func=ast.Name(id=name)) if name in _SAYING:
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
        case _:
            return False


def _changes(place: _Place) -> Iterator[tuple[str, ast.expr]]:
    yield from _arithmetic(place.node)
    yield from _comparisons(place.node)
    yield from _calls(place.node)
    yield from _masks(place)
    yield from _constants(place.node)
    match place.parent:
        case ast.AugAssign(op=ast.Add() | ast.Sub()) if place.field == "value" and not isinstance(
            place.node, (ast.List, ast.ListComp)
        ):
            yield "sign", ast.UnaryOp(ast.USub(), place.node)
    if isinstance(place.parent, ast.Return) and not isinstance(place.node, (ast.UnaryOp, ast.Constant)):
        if _NUMBER.fullmatch(place.returns):
            yield "sign", ast.UnaryOp(ast.USub(), place.node)
        elif place.returns == "bool" and not isinstance(place.node, (ast.Compare, ast.BoolOp)):
            yield "logic", ast.UnaryOp(ast.Not(), place.node)


def _arithmetic(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.BinOp(left=left, right=right) if any(
            isinstance(x, (ast.List, ast.Tuple, ast.JoinedStr)) or _is_text(x) for x in (left, right)
        ):
            return
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield "sign", ast.BinOp(left, ast.Sub(), right)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            yield "sign", ast.BinOp(left, ast.Add(), right)
        case ast.BinOp(left=left, op=ast.Div() | ast.FloorDiv() as op, right=right):
            yield "denominator", ast.BinOp(left, op, ast.BinOp(right, ast.Add(), ast.Constant(1)))
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            yield "factor", ast.BinOp(left, ast.Div(), right)
            for one, other in ((left, right), (right, left)):
                if _is_mask(one):
                    yield "mask", other
        case ast.BinOp(left=left, op=ast.BitAnd(), right=right):
            yield "mask", ast.BinOp(left, ast.BitOr(), right)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield "mask", ast.BinOp(left, ast.BitAnd(), right)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield "sign", operand
        case ast.UnaryOp(op=ast.Invert(), operand=operand):
            yield "mask", operand
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "logic", operand


def _comparisons(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Compare(left=left, ops=ops, comparators=others):
            for i, op in enumerate(ops):
                kind = "sign" if type(op) in _EDGE else "condition"
                yield kind, ast.Compare(left, [*ops[:i], _OPPOSITE[type(op)](), *ops[i + 1 :]], others)
                if type(op) in _EDGE:
                    yield "edge", ast.Compare(left, [*ops[:i], _EDGE[type(op)](), *ops[i + 1 :]], others)
        case ast.BoolOp(op=op, values=values):
            yield "logic", ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.IfExp(test=test, body=body, orelse=orelse) if not isinstance(test, (ast.Compare, ast.UnaryOp)):
            yield "condition", ast.IfExp(ast.UnaryOp(ast.Not(), test), body, orelse)


def _calls(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Call(func=ast.Name(id="abs"), args=[number]):
            yield "sign", number
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if name in _OTHER_END:
            yield "extreme", ast.Call(ast.Name(_OTHER_END[name], ast.Load()), args, keywords)
        case ast.Call(func=ast.Attribute(value=of, attr=name), args=args, keywords=keywords):
            if name in _OTHER_END:
                yield "extreme", ast.Call(ast.Attribute(of, _OTHER_END[name], ast.Load()), args, keywords)
            elif name == "mean":
                yield "denominator", ast.Call(ast.Attribute(of, "sum", ast.Load()), args, keywords)
            elif name == "filter" and not keywords:
                for i in range(len(args)):
                    rest = [*args[:i], *args[i + 1 :]]
                    yield "mask", ast.Call(node.func, rest, []) if rest else of
            elif name == "where" and len(args) == 3:
                yield "mask", args[1]
                yield "mask", args[2]
            elif name in ("masked_fill", "masked_fill_"):
                yield "mask", of


def _masks(place: _Place) -> Iterator[tuple[str, ast.expr]]:
    node, parent = place.node, place.parent
    if isinstance(parent, ast.comprehension) and place.field == "ifs":
        yield "mask", ast.Constant(True)
    elif isinstance(parent, ast.If) and place.field == "test":
        if not parent.orelse:
            yield "mask", ast.Constant(False)
        elif not isinstance(node, (ast.Compare, ast.UnaryOp)):
            yield "condition", ast.UnaryOp(ast.Not(), node)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _is_mask(node.slice):
        yield "mask", node.value


def _is_mask(node: ast.expr) -> bool:
    match node:
        case ast.Compare() | ast.UnaryOp(op=ast.Invert()) | ast.BinOp(op=ast.BitAnd()):
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _MASK.search(name) is not None
        case _:
            return False


def _constants(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Constant(value=bool() as value):
            yield "flag", ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield "constant", ast.Constant(value + 1)
        case ast.Constant(value=float() as value):
            yield "constant", ast.Constant(value * 2 if value else 1.0)
        case ast.Constant(value="up" | "down" as value):
            yield "flag", ast.Constant("down" if value == "up" else "up")


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def categories(found: Sequence[Mutation]) -> dict[str, int]:
    """How many there are of each category, most first."""
    return dict(Counter(m.category for m in found).most_common())
