"""A chat template is a program of somebody else's: what it asks for is counted before it runs.

transformers renders it in a sandbox, which keeps it from files and from the network, but not from asking for a text of
gigabytes or for loops that need not end. Here it is rendered once, of one question, in a sandbox that counts. One that
does so only in longer conversations isn't found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import TemplateError, pass_eval_context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from offside_data.errors import ModelError
from offside_data.limits import REPEATED, ROUNDS

_MARKS = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")
"""What transformers alone knows: where an answer stands."""
_PADDING = ("ljust", "rjust", "center", "zfill", "expandtabs", "replace", "join", "format")
_WIDTH = re.compile(r"(?:%[-+ 0#]*|:\D?[<>^=]?)(\d{6,})")
"""How wide a text is to be made that is formatted."""
_TURN = {"role": "user", "content": [{"type": "text", "text": "?"}]}


class _TooMuchError(Exception):
    """The template asks for more than it gets."""


class _Counting(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(("*", "**", "%", "+"))

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
        self.rounds = 0
        self.globals["range"] = self.counted_range
        self.globals["raise_exception"] = _refuse
        self.globals["strftime_now"] = lambda form: form
        for name in ("center", "indent", "format", "replace", "join", "wordwrap"):
            self.filters[name] = _guarded(self.filters[name])

    def counted_range(self, *bounds: Any) -> range:
        numbers = range(*bounds)
        self.rounds += len(numbers)
        if self.rounds > ROUNDS.most:
            raise _TooMuchError(f"loops of more than {ROUNDS}")
        return numbers

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        _measure(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, called: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(called, "__name__", "") in _PADDING:
            text = getattr(getattr(called, "__wrapped__", called), "__self__", None)  # The sandbox wraps `format`.
            _guard((text, *args), kwargs)
        return super().call(context, called, *args, **kwargs)


def require_bounded(template: str | Mapping[str, str], where: str) -> None:
    """Refuse a chat template that asks for gigabytes, or for loops that need not end.

    Args:
        template: One, or several by name.
        where: The model's folder or name.

    Raises:
        ModelError: If it does; names the limit.
    """
    for text in template.values() if isinstance(template, Mapping) else [template]:
        try:
            environment = _Counting()
            environment.from_string(_MARKS.sub("", text)).render(
                messages=[_TURN], add_generation_prompt=True, bos_token="", eos_token="", tools=None
            )
        except _TooMuchError as error:
            raise ModelError(
                f"{where}: its chat template asks for {error}, with one question. Copy chat_template.jinja from the "
                "base model, and ask yourself who made this folder."
            ) from error
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError):
            continue  # Whoever renders it in earnest says what is wrong.


def _measure(operator: str, left: Any, right: Any) -> None:
    if operator == "**":
        if abs(_size(left)) > 1 and abs(_size(right)) > ROUNDS.most.bit_length():
            raise _TooMuchError("a power without bounds")
    elif operator == "*":
        for some, times in ((left, right), (right, left)):
            if isinstance(some, (str, list, tuple)) and isinstance(times, int) and len(some) * times > REPEATED.most:
                raise _TooMuchError(f"a text of more than {REPEATED}")
    elif operator == "%" and isinstance(left, str):
        _guard((left,), {})
    elif operator == "+" and isinstance(left, (str, list)) and len(left) > REPEATED.most:
        raise _TooMuchError(f"a text of more than {REPEATED}")


def _size(value: Any) -> float:
    return value if isinstance(value, (int, float)) else 0


def _guard(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Refuse a number, or a width in a text, that is larger than a text may get."""
    for value in (*args, *kwargs.values()):
        numbers = _WIDTH.findall(value) if isinstance(value, str) else [value] if isinstance(value, int) else []
        if any(int(str(number)[:20]) > REPEATED.most for number in numbers):
            raise _TooMuchError(f"a text of more than {REPEATED}")
        if isinstance(value, (str, list)) and len(value) > REPEATED.most:
            raise _TooMuchError(f"a text of more than {REPEATED}")


def _guarded(function: Any) -> Any:
    """A filter that looks at what it is given first."""

    @pass_eval_context
    def guarded(context: Any, *args: Any, **kwargs: Any) -> Any:
        _guard(args, kwargs)
        wanted = getattr(getattr(function, "jinja_pass_arg", None), "name", "")
        first = {"eval_context": (context,), "environment": (context.environment,)}.get(wanted, ())
        return function(*first, *args, **kwargs)

    return guarded


def _refuse(message: str) -> None:
    raise ValueError(message)
