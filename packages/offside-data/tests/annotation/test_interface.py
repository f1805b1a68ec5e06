"""The interface: what every record needs is shown, what may be answered is offered, made of the taxonomy."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

from offside_data.annotation.interface import BY_NAME, CONTROLS, VARIABLES, label_config, missing_of, result_of
from offside_data.taxonomy import Taxonomy, load_taxonomy


def test_every_control_is_there_with_its_choices(taxonomy: Taxonomy) -> None:
    view = ElementTree.fromstring(label_config(taxonomy))
    tags = {tag.get("name"): tag for tag in view.iter() if tag.get("name")}
    assert {"image", "question", "claim", "proposed"} <= tags.keys()
    for control in CONTROLS:
        tag = tags[control.name]
        assert tag.tag == ("Choices" if control.choices else "TextArea")
        assert [choice.get("value") for choice in tag] == list(control.choices)
        assert tag.get("toName") in tags
    assert tags["picture"].get("choice") == "multiple"
    shown = {value[1:] for tag in view.iter() if (value := tag.get("value", "")).startswith("$")}
    assert shown == set(VARIABLES)


def test_the_taxonomy_says_what_is_shared() -> None:
    for name, shared in (("football", "nationality"), ("office", load_taxonomy("office").names("shared")[-1])):
        view = ElementTree.fromstring(label_config(load_taxonomy(name)))
        (choice,) = (tag for tag in view.iter("Choice") if tag.get("value") == "shared")
        assert shared.replace("_", " ") in choice.get("hint", "")


HOSTILE = "<script>run()</script>\"&' ]]> $image\n\u202e\u200b"


def test_whatever_an_attribute_is_named_the_interface_is_xml(taxonomy: Taxonomy) -> None:
    first, *others = taxonomy.attributes
    for name in (HOSTILE, "a\x00b\x1b\ufffe"):
        named = dataclasses.replace(taxonomy, attributes=(dataclasses.replace(first, name=name), *others))
        config = label_config(named)
        assert "<script" not in config
        view = ElementTree.fromstring(config)
        hints = " ".join(tag.get("hint", "") for tag in view.iter("Choice"))
        assert name in hints or "a\ufffdb\ufffd\ufffd" in hints
        assert missing_of(config) == []


def test_a_channel_is_asked_of_rumours_alone(taxonomy: Taxonomy) -> None:
    view = ElementTree.fromstring(label_config(taxonomy))
    (home,) = (tag for tag in view.iter("View") if tag.get("visibleWhen"))
    assert (home.get("whenTagName"), home.get("whenChoiceValue")) == ("veracity", "rumor")
    assert [tag.get("name") for tag in home.iter("Choices")] == ["rumor_channel"]


def test_results_are_of_the_controls_type() -> None:
    assert result_of("veracity", ["fact"])["value"] == {"choices": ["fact"]}
    told = result_of("value", ["Avaria"])
    assert (told["type"], told["to_name"], told["value"]) == ("textarea", BY_NAME["value"].about, {"text": ["Avaria"]})
