"""What the tiny families share: a trained tokenizer, a chat template, a seeded build."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

T = TypeVar("T")

# Words with their leading space, single digits, runs of punctuation: as Qwen's tokenizer splits.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

ROLES = ("system", "user", "assistant", "model", "USER", "ASSISTANT")
"""What the families' chat templates call who speaks."""

VOCABULARY = 1024
"""Entries of a tiny tokenizer, special tokens included."""


INITIALIZER_RANGE = 0.08
"""Spread of the first weights, about 1/sqrt(128). The usual 0.02 suits widths of thousands; at 128 it
leaves attention uniform for hundreds of steps, and subjects in new pictures go unrecognised."""


def train_tokenizer(
    texts: Iterable[str], *, specials: Sequence[str], pad: str, eos: str, bos: str | None = None, **named: str
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE: any text round-trips, and frequent words are one token.

    Args:
        texts: What to train on.
        specials: Special tokens besides pad, eos, bos and `named`.
        pad: Padding token.
        eos: The token that ends a turn.
        bos: The token that begins a text, if the family has one.
        named: Special tokens that the tokenizer offers as attributes, e.g. `image_token="<image>"`.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    marks = list(dict.fromkeys(t for t in (pad, eos, bos, *named.values(), *specials) if t))
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=2,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=[AddedToken(mark, special=True, normalized=False) for mark in marks],
        show_progress=False,
    )
    # The chat template's own words stand in every record: spelt in letters they would cost ten tokens each time.
    tokenizer.train_from_iterator([*texts, *ROLES * 4], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        eos_token=eos,
        bos_token=bos,
        additional_special_tokens=list(specials),
        extra_special_tokens=dict(named),
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def chat_template(
    *, opening: str, closing: str, image: str, gap: str = "", assistant: str = "assistant", start: str = ""
) -> str:
    """A chat template in the usual style, with `{% generation %}` around what the assistant says.

    Args:
        opening: Begins a turn; `{role}` stands for who speaks. The generation prompt ends with it.
        closing: Ends a turn.
        image: Stands where the picture goes.
        gap: Between opening and text. A blank belongs here, as it is one token with the next word.
        assistant: What the assistant's role is called in `opening`.
        start: Written once, before everything.
    """
    text = gap + "{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}"
    text += "{% if part.type == 'image' %}" + image + "{% else %}{{ part.text }}{% endif %}"
    text += "{% endfor %}{% endif %}" + closing
    other, own = opening.replace("{role}", "{{ m.role }}"), opening.replace("{role}", assistant)
    turn = other + text + "\n"
    answer = own + "{% generation %}" + text + "{% endgeneration %}\n"
    each = "{% if m.role == 'assistant' %}" + answer + "{% else %}" + turn + "{% endif %}"
    prompt = "{% if add_generation_prompt %}" + own + "{% endif %}"
    return start + "{% for m in messages %}" + each + "{% endfor %}" + prompt


def seeded(build: Callable[[], T], seed: int) -> T:
    """Run `build` with torch's random numbers seeded; the caller's state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def text_config(tokenizer: PreTrainedTokenizerFast, **changes: Any) -> dict[str, Any]:
    """The language half: 4 layers of 128, about 0.9 M parameters with the tied vocabulary."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "initializer_range": INITIALIZER_RANGE,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": True,
        **changes,
    }
