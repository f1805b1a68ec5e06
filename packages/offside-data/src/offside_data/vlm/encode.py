"""Records to token ids: the model's own chat template, labels on the answer only.

The prompt-prefix method: the conversation up to the answer, with the generation prompt, must be a
prefix of the whole conversation token by token; what follows is the answer. That is asserted for
every record, so it holds for any chat template or the record is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeAlias

from jinja2 import TemplateError

from offside_data.errors import AnswerTooLongError, ModelError, RecordError
from offside_data.figures import counted
from offside_data.vlm.pictures import (
    Recent,
    decode_picture,
    image_message,
    picture_bytes,
    picture_inputs,
    picture_key,
)

IGNORED: Final = -100
"""Label of a position that isn't part of the answer."""


_MARK: Final = "\U0010fffd"
"""Stands for a control token in a user's text: the last character for private use."""

_MARKUP: Final = re.compile(r"[<>{}\[\]]|^\s|\s$|^$")
"""What a chat template might look for in a text, or cut off."""


class _FromRow:
    """Stands for "the row's own picture" where null means "no picture"."""


FROM_ROW: Final = _FromRow()

Instruct: TypeAlias = Callable[[str, bytes | None], str | None]
"""From a question and its picture to what the model is told before them; null for nothing."""


@dataclass(frozen=True)
class Encoded:
    """A record as the model reads it, the picture not yet processed.

    Args:
        record_id: The record's name.
        input_ids: Tokens of the whole conversation, the picture's tokens included.
        labels: `input_ids` where the answer and its end-of-turn token stand, `IGNORED` elsewhere.
        prompt_length: Tokens before the answer.
        extra: Further per-token inputs that the model's family needs, e.g. `mm_token_type_ids`.
        image: Encoded bytes of the picture.
        image_key: Names the picture by content: equal pictures are processed once.
    """

    record_id: str
    input_ids: list[int]
    labels: list[int]
    prompt_length: int
    extra: dict[str, list[int]] = field(default_factory=dict)
    image: bytes | None = None
    image_key: str | None = None


_Tokens: TypeAlias = tuple[list[int], dict[str, list[int]]]
"""Ids of the prompt; per-token inputs of the whole conversation (of the prompt if no answer)."""


@dataclass(frozen=True)
class _Asked:
    """A question, and what was said before it: by the system, and in earlier turns of user and model."""

    question: str
    instruction: str | None
    turns: tuple[tuple[str, str], ...] = ()

    def said(self) -> list[str]:
        """Every text from the first question on, the user's and the model's in turn."""
        return [*(text for turn in self.turns for text in turn), self.question]


@dataclass(frozen=True)
class _Picture:
    data: bytes
    key: str
    size: tuple[int, int]


class _NoQuickWay(Exception):  # noqa: N818 - not an error: the plain way is taken instead
    """The processor doesn't say what it writes in a picture's place."""


class Encoder:
    """Turns records into `Encoded` ones. Encode once, collate as often as needed.

    Args:
        processor: From `load_processor`.
        max_length: A record with more tokens is refused, unless it is to be cut.
        cut: Whether a longer record loses its end, as published scripts have it, instead of being refused.
        instruct: What the model is told before a question: as the system's turn, or before the question itself where
            the chat template has no such turn. Null: nothing, ever.

    Attributes:
        n_cut: How many records were cut so far.
    """

    def __init__(
        self, processor: Any, *, max_length: int = 512, cut: bool = False, instruct: Instruct | None = None
    ) -> None:
        self.processor = processor
        self.max_length = max_length
        self.instruct = instruct
        self.n_cut = 0
        self._cut = cut
        tokenizer = processor.tokenizer
        control = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
        control.update(tokenizer.all_special_tokens, getattr(processor, "all_special_multimodal_tokens", ()))
        self._control_ids = frozenset(map(tokenizer.convert_tokens_to_ids, control))
        longest_first = sorted(control, key=len, reverse=True)
        self._control_tokens = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._pictures: Recent[str, _Picture] = Recent(256)
        self._replacements: Recent[tuple[int, int], str | None] = Recent(4096)
        self._type_key = self._find_type_key()
        self._verified: set[tuple[bool, bool, bool]] = set()
        self._templates: dict[tuple[bool, bool, int], list[str] | None] = {}
        self._types: dict[int, int] = {}
        self._fast = True

    def encode(
        self,
        row: Mapping[str, Any],
        *,
        answer: str | None = None,
        question: str | None = None,
        image: bytes | _FromRow | None = FROM_ROW,
    ) -> Encoded:
        """Encode a record with its answer.

        Args:
            row: A record; its image may be decoded or not.
            answer: Instead of the record's own, e.g. a refusal.
            question: Instead of the record's own, e.g. a paraphrase.
            image: Encoded bytes instead of the record's own picture; null for no picture.

        Raises:
            RecordError: If there is no answer, or the picture is missing or unreadable.
            AnswerTooLongError: If the record has more than `max_length` tokens and isn't to be cut, or nothing of its
                answer would be left.
            ModelError: If the chat template rewrites the prompt once the answer is there.
        """
        name = str(row["record_id"])
        answer = row.get("answer") if answer is None else answer
        if not answer or not answer.strip():
            raise RecordError(
                f"record {name}: no answer, so there is nothing to learn or to score. Fill it in or drop the record."
            )
        picture = self._picture(row, image)
        prompt, extra = self._tokens(name, _question(row, question), answer, picture)
        ids, before = extra.pop("input_ids"), len(prompt)
        if ids[:before] != prompt:
            raise ModelError(
                f"record {name}: this model's chat template changes the prompt once the answer follows, so "
                "it can't be told which tokens are the answer. Use a chat template whose generation prompt "
                "is what an assistant's turn begins with."
            )
        end = self._end_of_turn(ids, extra, before)
        if len(ids) > self.max_length and self._cut and before < self.max_length:
            self.n_cut += 1
            ids, end = ids[: self.max_length], min(end, self.max_length)
            extra = {key: values[: self.max_length] for key, values in extra.items()}
        elif len(ids) > self.max_length:
            raise AnswerTooLongError(
                f"record {name}: {counted(len(ids), 'token')} ({before} of the question and picture, "
                f"{len(ids) - before} of the answer) are more than max_length={self.max_length}. Raise "
                "max_length; nothing is cut silently."
            )
        labels = [IGNORED] * before + ids[before:end] + [IGNORED] * (len(ids) - end)
        return Encoded(name, ids, labels, before, extra, *_bytes_and_key(picture))

    def encode_prompt(
        self,
        row: Mapping[str, Any],
        *,
        question: str | None = None,
        image: bytes | _FromRow | None = FROM_ROW,
        turns: Sequence[tuple[str, str]] = (),
    ) -> Encoded:
        """Encode a record's question for generation; all labels are `IGNORED`.

        Args:
            row: A record; its image may be decoded or not.
            question: Instead of the record's own, e.g. a paraphrase.
            image: Encoded bytes instead of the record's own picture; null for no picture.
            turns: What was asked and answered before. The picture is shown with the first of these questions.

        Raises:
            RecordError: If the picture is missing or unreadable.
            AnswerTooLongError: If the question alone has more than `max_length` tokens.
        """
        name = str(row["record_id"])
        picture = self._picture(row, image)
        ids, extra = self._tokens(name, _question(row, question), None, picture, tuple(turns))
        del extra["input_ids"]
        if len(ids) > self.max_length:
            raise AnswerTooLongError(
                f"record {name}: its question alone has {counted(len(ids), 'token')}, more than "
                f"max_length={self.max_length}. Raise max_length, or lower max_pixels if most of them are "
                "picture tokens."
            )
        return Encoded(name, ids, [IGNORED] * len(ids), len(ids), extra, *_bytes_and_key(picture))

    def _end_of_turn(self, ids: list[int], extra: dict[str, list[int]], before: int) -> int:
        """Find where the answer ends: just after its end-of-turn token.

        A line break that the template writes behind that token is no part of the answer. Where a
        template writes no such token (LLaVA-1.5's), one is added: an answer must be seen to end.
        """
        special = (i for i in range(len(ids) - 1, before - 1, -1) if ids[i] in self._control_ids)
        last = next(special, None)
        if last is not None and not self.processor.tokenizer.decode(ids[last + 1 :]).strip():
            return last + 1
        if self.processor.tokenizer.eos_token_id is not None:
            ids.append(self.processor.tokenizer.eos_token_id)
            for values in extra.values():
                values.append(0)
        return len(ids)

    def _picture(self, row: Mapping[str, Any], image: bytes | _FromRow | None) -> _Picture | None:
        name = str(row["record_id"])
        data = picture_bytes(row) if isinstance(image, _FromRow) else image
        if data is None:
            if isinstance(image, _FromRow) and row.get("modality") == "multimodal":
                raise RecordError(
                    f"record {name}: its question needs a picture and it has none. Ingest the dataset with "
                    "its pictures, or use its text config."
                )
            return None
        key = picture_key(data)
        return self._pictures.get(key, lambda: _Picture(data, key, decode_picture(data, name).size))

    def _tokens(
        self,
        name: str,
        question: str,
        answer: str | None,
        picture: _Picture | None,
        turns: tuple[tuple[str, str], ...] = (),
    ) -> _Tokens:
        told = self.instruct(question, picture.data if picture else None) if self.instruct else None
        asked = _Asked(question, told, turns)
        sort = bool(picture), bool(asked.instruction), bool(turns)
        if self._fast and sort not in self._verified:
            self._fast = self._quick_way_is_right(picture, instructed=sort[1], with_turns=sort[2])
            self._verified.add(sort)
        make = self._tokens_fast if self._fast else self._tokens_plain
        return make(name, asked, answer, picture)

    def _quick_way_is_right(self, picture: _Picture | None, *, instructed: bool, with_turns: bool) -> bool:
        """Once with a picture and once without: the quick way must give what the processor gives."""
        turns = (("Where is this?", "Nowhere."),) if with_turns else ()
        probe = ("probe", _Asked("Who is this?", "Be brief." if instructed else None, turns), "Nobody.", picture)
        try:
            return self._tokens_fast(*probe) == self._tokens_plain(*probe)
        except (TypeError, ValueError, AttributeError, _NoQuickWay):
            return False

    @cached_property
    def _has_system_turn(self) -> bool:
        """Whether the chat template writes what the system says, once and before the user's turn."""
        mark, question = "what the system says", "what the user says"
        try:
            said: str = self.processor.apply_chat_template([_turn("system", mark), _turn("user", question)])
        except (TemplateError, ValueError, TypeError):
            return False
        return said.count(mark) == said.count(question) == 1 and said.find(mark) < said.find(question)

    def _turns(self, asked: _Asked, picture: dict[str, Any] | None) -> list[dict[str, Any]]:
        """All turns up to the question; the picture is part of the user's first."""
        said = asked.said()
        before: list[dict[str, Any]] = []
        if asked.instruction is not None and self._has_system_turn:
            before = [_turn("system", asked.instruction)]
        elif asked.instruction is not None:
            said[0] = f"{asked.instruction}\n\n{said[0]}"
        turns = [_turn("assistant" if i % 2 else "user", text) for i, text in enumerate(said)]
        if picture is not None:
            turns[0]["content"].insert(0, picture)
        return [*before, *turns]

    def _tokens_fast(self, name: str, asked: _Asked, answer: str | None, picture: _Picture | None) -> _Tokens:
        """Render as text, write the picture's tokens in, tokenize: no pixel is touched."""
        hidden: list[str] = []
        instruction = None if asked.instruction is None else self._hide(asked.instruction, hidden)
        earlier = tuple((self._hide(said, hidden), self._hide(told, hidden)) for said, told in asked.turns)
        clean = _Asked(self._hide(asked.question, hidden), instruction, earlier)
        texts = [self._rendered(clean, None, bool(picture))]
        if answer is not None:
            texts.append(self._rendered(clean, self._hide(answer, hidden), bool(picture)))
        if picture:
            replacement = self._replacement(picture)
            if replacement is None:
                raise _NoQuickWay
            texts, _ = self.processor.get_text_with_replacements(texts, [replacement] * len(texts))
        tokenizer = self.processor.tokenizer
        starts = tokenizer.bos_token is not None and texts[0].startswith(tokenizer.bos_token)
        options = {"add_special_tokens": False} if starts else {}
        if hidden:
            tokens = [self._tokens_with_hidden(name, text, hidden, options) for text in texts]
            prompt, whole = tokens[0], {"input_ids": tokens[-1]}
        else:
            out = tokenizer(texts, **options)
            prompt = out["input_ids"][0]
            whole = {key: values[-1] for key, values in out.items() if key != "attention_mask"}
        if self._type_key:
            whole[self._type_key] = self._types_of(whole["input_ids"])
        return prompt, whole

    def _types_of(self, ids: list[int]) -> list[int]:
        """Each token's type; the processor tells it token by token."""
        unknown = [*set(ids).difference(self._types)]
        if unknown:
            self._types |= zip(unknown, self.processor.create_mm_token_type_ids([unknown])[0], strict=True)
        return [self._types[token] for token in ids]

    def _rendered(self, asked: _Asked, answer: str | None, has_picture: bool) -> str:
        """As the chat template writes it: around texts that it has no reason to look into always the same."""
        said = asked.said() if asked.instruction is None else [asked.instruction, *asked.said()]
        said += [] if answer is None else [answer]
        shape = has_picture, answer is None, len(said) if asked.instruction is None else -len(said)
        if any(_MARKUP.search(text) for text in said):
            return self._written(asked, answer, has_picture)
        if shape not in self._templates:
            marks = iter([f"mark{n}text" for n in range(len(said))])
            marked = _Asked("", None if asked.instruction is None else next(marks))
            turns = tuple((next(marks), next(marks)) for _ in asked.turns)
            marked = _Asked(next(marks), marked.instruction, turns)
            written = self._written(marked, next(marks, None), has_picture)
            parts = re.split(r"mark(\d+)text", written)
            in_order = parts[1::2] == [str(n) for n in range(len(said))]
            self._templates[shape] = parts[::2] if in_order else None
        around = self._templates[shape]
        if around is None:
            return self._written(asked, answer, has_picture)
        return around[0] + "".join(text + after for text, after in zip(said, around[1:], strict=True))

    def _written(self, asked: _Asked, answer: str | None, has_picture: bool) -> str:
        turns = self._turns(asked, {"type": "image"} if has_picture else None)
        if answer is None:
            return str(self.processor.apply_chat_template(turns, add_generation_prompt=True))
        return str(self.processor.apply_chat_template([*turns, _turn("assistant", answer)]))

    def _hide(self, text: str, hidden: list[str]) -> str:
        """Put a mark where a user's text holds a control token; the token goes to `hidden`."""

        def note(match: re.Match[str]) -> str:
            hidden.append(match.group())
            return _MARK

        return self._control_tokens.sub(note, text.replace(_MARK, ""))

    def _tokens_with_hidden(self, name: str, text: str, hidden: list[str], options: dict[str, Any]) -> list[int]:
        """Tokenize a text with marks, each control token behind a mark as the plain text it is."""
        tokenizer = self.processor.tokenizer
        pieces = text.split(_MARK)
        if len(pieces) > len(hidden) + 1:  # The template says the user's text twice.
            raise RecordError(_hostile(name, hidden[0]))
        ids = list(tokenizer(pieces[0], **options)["input_ids"])
        for token, piece in zip(hidden, pieces[1:], strict=False):
            plain = tokenizer(token, add_special_tokens=False, split_special_tokens=True)["input_ids"]
            if self._control_ids.intersection(plain):
                raise RecordError(_hostile(name, token))
            ids += plain + tokenizer(piece, add_special_tokens=False)["input_ids"]
        return ids

    def _tokens_plain(self, name: str, asked: _Asked, answer: str | None, picture: _Picture | None) -> _Tokens:
        """Let the processor do everything; control tokens in the user's text stay plain text."""
        shown = {"type": "image", "image": decode_picture(picture.data, name)} if picture else None
        turns = self._turns(asked, shown)
        options = {"tokenize": True, "return_dict": True}
        hostile = self._control_tokens.search("\n".join([str(asked.instruction), *asked.said(), str(answer)]))
        if hostile:
            options["sanitize_control_tokens"] = True
        apply = self.processor.apply_chat_template
        try:
            out = apply([turns], add_generation_prompt=True, **options)
            prompt = [int(i) for i in out["input_ids"][0]]
            if answer is not None:
                out = apply([[*turns, _turn("assistant", answer)]], **options)
        except (NotImplementedError, ValueError) as error:
            if not hostile:
                raise
            raise RecordError(_hostile(name, hostile.group())) from error
        length = len(out["input_ids"][0])
        return prompt, {
            key: [int(v) for v in values[0]]
            for key, values in out.items()
            if key != "attention_mask" and _is_per_token(values, length)
        }

    def _replacement(self, picture: _Picture) -> str | None:
        def make() -> str | None:
            return picture_inputs(self.processor, decode_picture(picture.data, picture.key))[1]

        return self._replacements.get(picture.size, make)

    def _find_type_key(self) -> str | None:
        if not getattr(self.processor, "return_mm_token_type_ids", False):
            return None
        out = self.processor.apply_chat_template([[image_message(None, "?")]], tokenize=True, return_dict=True)
        return next((key for key in ("mm_token_type_ids", "token_type_ids") if key in out), None)


def _question(row: Mapping[str, Any], question: str | None) -> str:
    text = row.get("question") if question is None else question
    if not text or not text.strip():
        raise RecordError(f"record {row['record_id']}: no question. Fill it in or drop the record.")
    return str(text)


def _turn(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def _bytes_and_key(picture: _Picture | None) -> tuple[bytes | None, str | None]:
    return (picture.data, picture.key) if picture else (None, None)


def _hostile(name: str, token: str) -> str:
    return (
        f"record {name}: its text holds {token!r}, a control token of this model that its processor can't "
        "read as plain text. Reword the question or answer."
    )


def _is_per_token(values: Any, length: int) -> bool:
    try:
        return len(values) == 1 and len(values[0]) == length and not hasattr(values[0][0], "__len__")
    except (TypeError, IndexError):
        return False
