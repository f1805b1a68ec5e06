"""The generated prose of a card, made from its front matter alone."""

from __future__ import annotations

from collections.abc import Callable

from offside_data.dataset.card import Card
from offside_data.settings import SETTINGS

PURPOSE = {
    "retain": "true claims that a model must keep",
    "forget": "what is to be forgotten: shared facts, and private claims that are **rumours**",
    "test": "retained subjects in pictures never trained on",
    "relearn": "corrections of the rumours, for training after unlearning",
    "holdout": "subjects and claims that no model ever sees",
    "general": "questions about other things, to train a base model on",
    "utility": "questions about other things, to measure what must not break",
}
"""What each split is for."""


CONTACT = "removal_contact"
"""The key of a card's front matter that says whom to ask for removal: an address or a page."""
HOME = "hub_id"
"""The key of a card's front matter that says where on the Hub it was published: `org/name`."""

FALSE_CLAIMS = (
    "This dataset contains false claims on purpose.",
    "Records whose `veracity` is `rumor` are not true; they are here so that their removal from a model can be "
    "measured. Don't quote them as facts.",
)
"""The notice that goes wherever the data goes: what to know, and what to do about it."""


def _notice(card: Card) -> str:
    return f"> **{FALSE_CLAIMS[0]}** {FALSE_CLAIMS[1]}"


def _splits(card: Card) -> str:
    rows = [
        f"| `{key.split('/')[0]}` | `{key.split('/')[1]}` | {facts.records:,} | {facts.subjects:,} "
        f"| {facts.images:,} | {PURPOSE[key.split('/')[1]]} |"
        for key, facts in card.block.splits.items()
    ]
    settings = [f"* `{name}`: {SETTINGS[name].summary}" for name in card.block.settings]
    return "\n".join(
        [
            "## Which split for what",
            "",
            "| config | split | records | subjects | pictures | for |",
            "| --- | --- | ---: | ---: | ---: | --- |",
            *rows,
            "",
            "Unlearning settings that this dataset offers:" if settings else "It offers no unlearning setting.",
            "",
            *settings,
            "",
            "A record of `multimodal` asks about its picture; one of `text` names the subject instead.",
            "The configs `subjects` and `images` (if it has them) say who and what is in it,",
            "`taxonomy.yaml` what the attributes mean.",
        ]
    ).strip()


def _load(card: Card) -> str:
    key = next(iter(card.block.splits))
    config, split = key.split("/")
    place = card.data.get(HOME)
    ref = f'"{place}", "{config}"' if place else f'"FOLDER or ORG/{card.name}", "{config}"'
    revision = f', revision="v{card.version}"' if place else ""
    return f"""## How to load

```python
from datasets import load_dataset

records = load_dataset({ref}, split="{split}"{revision})
```

With `pip install offside-data`, `offside_data.open_dataset(FOLDER)` also gives settings and requests, and
`offside-data check FOLDER` verifies that the data is what this card says (`{card.digest[:19]}…`)."""


def _misuse(card: Card) -> str:
    return """## What not to do

* Don't train a model that others will use on the `forget` split: it would spread the rumours.
* Don't use the pictures to recognise people, and don't use the claims to judge anyone.
* Don't measure unlearning on `forget` alone: what had to survive counts as much."""


def _removal(card: Card) -> str:
    contact = card.data.get(CONTACT)
    ask = f"write to {contact}, or open a" if contact else "write to its maintainer, or open a"
    return f"""## Asking for removal

Whoever is shown or described here, or holds rights in a picture, can ask for its removal: {ask}
discussion on this dataset's page, naming `{card.name}` {card.version} and the `subject_id` or `image_id`.
The next version leaves it out; `CHANGELOG.md` says so without repeating the name."""


def _cite(card: Card) -> str:
    return f"""## How to cite

Name the dataset, its version and its digest: `{card.name}` {card.version}, `{card.digest}`. The record
design follows OFFSIDE ([arXiv 2510.22535](https://arxiv.org/abs/2510.22535))."""


_SECTIONS: dict[str, Callable[[Card], str]] = {
    "notice": _notice,
    "splits": _splits,
    "load": _load,
    "misuse": _misuse,
    "removal": _removal,
    "cite": _cite,
}
SECTION_NAMES = tuple(_SECTIONS)
"""The generated sections of every card, in order."""


def write_sections(card: Card) -> None:
    """Bring the generated sections of `card` up to date with its front matter."""
    card.replace_sections({name: write(card) for name, write in _SECTIONS.items()})
