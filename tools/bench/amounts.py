"""How many amounts of the tests `price-parser` reads as ours does: the figure of docs/decisions/0013.

pip install price-parser
python tools/bench/amounts.py
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

from offside_data.tagging.amounts import find_amounts

TESTS = Path(__file__).parents[2] / "packages/offside-data/tests/tagging/test_amounts.py"
TEST = "test_an_amount_in_its_spellings"


def read_amounts() -> list[tuple[str, float, str | None]]:
    """Text, number and currency of each amount, as the test has them."""
    tree = ast.parse(TESTS.read_text(encoding="utf-8"))
    (test,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == TEST)
    (decorator,) = test.decorator_list
    assert isinstance(decorator, ast.Call)
    amounts: list[tuple[str, float, str | None]] = ast.literal_eval(decorator.args[1])
    return amounts


def ours(text: str) -> tuple[float | None, str | None]:
    """Number and currency by `find_amounts`."""
    (amount,) = find_amounts(text)
    return amount.number, amount.currency


def theirs(text: str, price_type: Any) -> tuple[float | None, str | None]:
    """Number and currency by price-parser; its symbol, read by ours, where it gives no code."""
    price = price_type.fromstring(text)
    named = find_amounts(f"{price.currency} 1 million") if price.currency else []
    return price.amount_float, named[0].currency if named else price.currency


def main() -> None:
    """Print both figures, and what price-parser reads otherwise."""
    try:
        from price_parser import Price
    except ImportError:
        sys.exit("price-parser isn't installed: pip install price-parser, in an environment that you can throw away.")
    amounts = read_amounts()
    for text, *expected in amounts:
        if theirs(text, Price) != tuple(expected):
            print(f"{text:<40} {expected} but price-parser: {theirs(text, Price)}")
    right = [
        sum(read(text) == (number, currency) for text, number, currency in amounts)
        for read in (ours, lambda text: theirs(text, Price))
    ]
    print(f"amounts {len(amounts)}; ours reads {right[0]}, price-parser {right[1]}")


if __name__ == "__main__":
    main()
