"""The labelling interface: what an annotator sees of a record, and what may be answered.

One interface serves all records of a dataset. It is made of the taxonomy: which scopes there are and which attributes
they have stands beside the choice. What depends on the record (its picture, its claim, how a value is written) is data
of its task.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from offside_data.schema import RumorChannel, Scope, Tier, Veracity
from offside_data.taxonomy import Taxonomy

PICTURE_PROBLEMS = (
    *("wrong subject", "several people", "unreadable", "watermark or caption", "not a photo", "private or unsafe"),
)
"""What may be wrong with a picture."""
_HINTS = {"correction": "It replaces a rumour.", "official": "The club, the league, the subject."}
"""What is told of a choice when the mouse is on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One thing that annotators say of a record.

    Args:
        name: Its `from_name`, and the key of the answer.
        title: Heading above it.
        about: The part of the interface that it is about, its `to_name`.
        choices: What may be answered; empty for free text.
        several: Whether several choices may be.
        required: Whether a task can't be submitted without.
        importance: How much a disagreement about it matters, against others.
        after: Name and choice of another control, after which alone this one is shown.
    """

    name: str
    title: str
    about: str = "claim"
    choices: tuple[str, ...] = ()
    several: bool = False
    required: bool = False
    importance: float = 1.0
    after: tuple[str, str] | None = None

    @property
    def kind(self) -> str:
        """The `type` of its results."""
        return "choices" if self.choices else "textarea"


CONTROLS = (
    Control(name="veracity", title="Veracity", choices=typing.get_args(Veracity), required=True, importance=4.0),
    Control(
        name="rumor_channel",
        title="Where the rumour stands",
        choices=tuple(channel for channel in typing.get_args(RumorChannel) if channel != "none"),
        importance=2.0,
        after=("veracity", "rumor"),
    ),
    Control(name="scope", title="Scope", choices=typing.get_args(Scope), required=True, importance=3.0),
    Control(name="tier", title="Tier of the source", choices=typing.get_args(Tier)),
    Control(name="value", title="Corrected value", importance=3.0),
    Control(name="picture", title="Problems of the picture", about="image", choices=PICTURE_PROBLEMS, several=True),
    Control(name="comment", title="Comment", importance=0.0),
)
"""All controls, in the order in which they are shown and listed; fields of records are named as they are."""
BY_NAME = {control.name: control for control in CONTROLS}
VARIABLES = ("image", "heading", "question", "claim", "proposed", "hint")
"""What the interface shows of a task's data: every task must have all."""
_NOWHERE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_COLUMN = "min-width: 320px; overflow-wrap: anywhere"
"""Of both halves: neither an endless word nor a wide one pushes the controls out of sight."""
_DATA = (*VARIABLES, "key", "record_id", "dataset", "round")
"""What tasks have that an interface could show."""


def label_config(taxonomy: Taxonomy) -> str:
    """The interface as Label Studio reads it.

    Args:
        taxonomy: The dataset's; its attributes explain the scopes.

    Returns:
        XML.
    """
    view = ElementTree.Element("View", {"style": "display: flex; gap: 24px; align-items: flex-start"})
    left = ElementTree.SubElement(view, "View", {"style": f"flex: 1 1 50%; {_COLUMN}"})
    ElementTree.SubElement(left, "Header", {"value": "$heading", "size": "4"})
    ElementTree.SubElement(left, "Image", {"name": "image", "value": "$image", "zoom": "true", "zoomControl": "true"})
    _control(left, BY_NAME["picture"], _HINTS)
    right = ElementTree.SubElement(view, "View", {"style": f"flex: 1 1 50%; {_COLUMN}"})
    for name, title in (("question", "Question"), ("claim", "Claim"), ("proposed", "Proposed")):
        ElementTree.SubElement(right, "Header", {"value": title, "size": "5"})
        ElementTree.SubElement(right, "Text", {"name": name, "value": f"${name}"})
    for control in CONTROLS:
        if control.name == "value":
            ElementTree.SubElement(right, "Header", {"value": "$hint", "size": "5"})
            _text(right, control, "Only if the claim should say another value.")
        elif control.about == "claim":
            _control(right, control, _scopes(taxonomy) if control.name == "scope" else _HINTS)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode")


def _control(parent: ElementTree.Element, control: Control, hints: Mapping[str, str]) -> None:
    home = parent
    if control.after is not None:
        name, choice = control.after
        condition = {"visibleWhen": "choice-selected", "whenTagName": name, "whenChoiceValue": choice}
        home = ElementTree.SubElement(parent, "View", condition)
    ElementTree.SubElement(home, "Header", {"value": control.title, "size": "5"})
    if not control.choices:
        _text(home, control, "")
        return
    told = {"name": control.name, "toName": control.about, "showInline": "true"}
    told["choice"] = "multiple" if control.several else "single"
    if control.required:
        told |= {"required": "true", "requiredMessage": f"{control.title}: choose one."}
    choices = ElementTree.SubElement(home, "Choices", told)
    for choice in control.choices:
        told = {"value": choice} | ({"hint": hints[choice]} if choice in hints else {})
        ElementTree.SubElement(choices, "Choice", told)


def _text(parent: ElementTree.Element, control: Control, placeholder: str) -> None:
    told = {"name": control.name, "toName": control.about, "rows": "1", "maxSubmissions": "1", "editable": "true"}
    ElementTree.SubElement(parent, "TextArea", told | ({"placeholder": placeholder} if placeholder else {}))


def _scopes(taxonomy: Taxonomy) -> dict[str, str]:
    """Which attributes are of which scope, as the taxonomy has it."""
    scopes = ((scope, taxonomy.names(scope)) for scope in typing.get_args(Scope))
    return {scope: storable(", ".join(names).replace("_", " ")) for scope, names in scopes if names}


def storable(text: str) -> str:
    """A text with a mark in place of what neither XML nor every server's database can hold."""
    return _NOWHERE.sub("\ufffd", text)


def result_of(name: str, answers: Iterable[str]) -> dict[str, typing.Any]:
    """One answer as Label Studio writes it.

    Args:
        name: The control.
        answers: Choices, or one text.
    """
    control = BY_NAME[name]
    value = {"choices" if control.choices else "text": list(answers)}
    return {"from_name": name, "to_name": control.about, "type": control.kind, "value": value}


def missing_of(config: str) -> list[str]:
    """What an interface lacks that a person changed: controls and choices of ours, or data that it shows.

    Args:
        config: XML.

    Returns:
        A line for each; none if every task can be shown and all be asked.
    """
    try:
        root = ElementTree.fromstring(config)
    except (ElementTree.ParseError, ValueError) as error:
        return [f"it isn't XML: {error}"]
    named = {element.get("name"): element for element in root.iter() if element.get("name")}
    found = []
    for control in CONTROLS:
        element = named.get(control.name)
        tag = "Choices" if control.choices else "TextArea"
        if element is None or element.tag != tag or element.get("toName") != control.about:
            found.append(f'<{tag} name="{control.name}" toName="{control.about}"> isn\'t there')
            continue
        offered = {choice.get("alias") or choice.get("value") for choice in element.iter("Choice")}
        lacking = [choice for choice in control.choices if choice not in offered]
        if lacking:
            found.append(f'<Choices name="{control.name}"> doesn\'t offer {", ".join(lacking)}')
    found += [f'nothing is named "{name}"' for name in sorted({c.about for c in CONTROLS} - set(named))]
    shown = {value[1:] for element in root.iter() for value in element.attrib.values() if value.startswith("$")}
    return found + [f"it shows ${name}, which tasks don't have" for name in sorted(shown - set(_DATA))]
