"""One question at a time, by what `transformers` itself offers: what every quicker way is compared with.

Nothing of ours prepares the inputs: the processor's own chat template, one conversation, its picture with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from offside_data.vlm.pictures import decode_picture, picture_bytes

_GREEDY: dict[str, Any] = {
    "do_sample": False,
    "num_beams": 1,
    "temperature": None,
    "top_k": None,
    "top_p": None,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
}
"""What a checkpoint's generation config may suggest otherwise."""


class PlainPath:
    """Asks a model one question at a time.

    Args:
        model: From `load_model`.
        processor: Its processor.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    def inputs(self, row: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """The record's question as the processor writes it, ready for an answer, on the model's device.

        Raises:
            RecordError: If its picture can't be read.
        """
        content: list[dict[str, Any]] = [{"type": "text", "text": str(row["question"])}]
        data = picture_bytes(row)
        if data is not None:
            content.insert(0, {"type": "image", "image": decode_picture(data, str(row["record_id"]))})
        made = self._processor.apply_chat_template(
            [[{"role": "user", "content": content}]],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        return {name: value.to(self._model.device) for name, value in made.items() if torch.is_tensor(value)}

    @torch.inference_mode()
    def logprobs(self, row: Mapping[str, Any], answer: Sequence[int]) -> tuple[float, ...]:
        """Log-probability of each token of an answer, in one pass of question and answer."""
        inputs = self.inputs(row)
        shape, n = inputs["input_ids"].shape, inputs["input_ids"].shape[1]
        tokens = inputs["input_ids"].new_tensor([list(answer)])
        behind = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
        for name, value in inputs.items():
            if value.shape == shape:  # One value a token.
                inputs[name] = torch.cat([value, behind.get(name, torch.zeros_like(tokens)).to(value.dtype)], 1)
        logits = self._model(**inputs, use_cache=False, return_dict=True).logits[0, n - 1 : -1]
        found = logits.float().log_softmax(-1).gather(-1, tokens[0][:, None])[:, 0]
        return tuple(found.tolist())

    @torch.inference_mode()
    def answer(self, row: Mapping[str, Any], *, max_new_tokens: int) -> str:
        """The model's greedy answer, by `generate` with its own settings but for what isn't greedy."""
        inputs = self.inputs(row)
        n = inputs["input_ids"].shape[1]
        tokens = self._model.generate(**inputs, max_new_tokens=max_new_tokens, **_GREEDY)[0, n:]
        text: str = self._processor.tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text.strip()
