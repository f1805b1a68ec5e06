"""Chat templates that ask for gigabytes or for loops without end are refused before they run in earnest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offside_data.errors import ModelError
from offside_data.vlm.processors import load_processor, save_processor
from offside_data.vlm.templates import require_bounded

GREEDY = [
    "{{ 'x' * 3000000000 }}",
    "{{ 3000000000 * 'x' }}",
    "{% set n = 1000 * 1000 %}{{ 'x' * (n * 1000) }}",
    "{{ [1] * 3000000000 }}",
    "{{ 9 ** 999999999 }}",
    "{{ '%3000000000s' % 'x' }}",
    "{{ '%3000000000s'|format('x') }}",
    "{{ '{:3000000000}'.format('x') }}",
    "{{ 'x'.ljust(3000000000) }}",
    "{{ 'x'|center(3000000000) }}",
    "{{ 'x'|indent(3000000000, true) }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{{ b }}{% endfor %}{% endfor %}",
    "{% for a in range(9999999999) %}{% endfor %}",
    "{% generation %}{{ 'x' * 3000000000 }}{% endgeneration %}",
]


@pytest.mark.parametrize("template", GREEDY)
def test_what_asks_for_too_much(template: str) -> None:
    with pytest.raises(ModelError, match=r"^some/model: its chat template asks for "):
        require_bounded(template, "some/model")
    with pytest.raises(ModelError, match=r"^some/model: "):
        require_bounded({"default": "{{ 1 }}", "tools": template}, "some/model")


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ '<|start|>' ~ m.role }}{% if loop.index0 % 2 %}{% break %}{% endif %}{% endfor %}",
        "{{ '=' * 80 }}{{ messages|tojson }}{{ messages|length ** 2 }}{{ '20261231'|replace('2026', '2027') }}",
        "{{ raise_exception('no tools') }}",
        "{{ strftime_now('%d %b %Y') }}{{ ['a', 'b']|join('-') }}{{ '%s'|format('x') }}{{ 'a'|indent(2) }}",
        "{% generation %}{{ messages[0].content[0].text }}{% endgeneration %}",
        "{{ broken",
        "{{ none.none }}",
    ],
)
def test_what_people_write_is_left_to_whoever_renders_it(template: str) -> None:
    require_bounded(template, "some/model")


@pytest.mark.parametrize("family", ["llava", "qwen2_5_vl"])
def test_a_processor_with_one_is_refused_and_with_its_own_is_not(tiny: Any, tmp_path: Path, family: str) -> None:
    folder = tmp_path / "model"
    model, processor = tiny(family)
    model.config.save_pretrained(folder)
    save_processor(processor, folder)
    load_processor(folder)
    (folder / "chat_template.jinja").write_text(GREEDY[0], encoding="utf-8")
    with pytest.raises(ModelError, match=rf"^{folder}: its chat template asks for a text of more than 1 MiB"):
        load_processor(folder)
