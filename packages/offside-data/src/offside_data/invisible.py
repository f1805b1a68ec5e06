"""Characters that nobody sees: a name that holds one is another name to a program, and no one can tell why.

Control characters, marks that turn the direction of writing, blanks without width, soft hyphens. A joiner between
letters of a script that needs it, or of an emoji, belongs to the word and stays, as do tabs and line ends.
"""

from __future__ import annotations

import re

ALWAYS = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f"
)
"""What is invisible wherever it stands, as the inside of a character class."""
INVISIBLE = re.compile(
    f"[{ALWAYS}]"
    # Joiners beside Latin, Greek or Cyrillic letters.
    "|(?<![\u0590-\U0010ffff])[\u200c\u200d]|[\u200c\u200d](?![\u0590-\U0010ffff])"
)
_SPACING = re.compile("[\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
"""Those that end a line or a page: a blank takes their place, so that words stay apart."""


def visible(text: str) -> str:
    """A text without its invisible characters."""
    # Almost every text is printable, and the test for that is quick.
    return text if text.isprintable() else INVISIBLE.sub("", _SPACING.sub(" ", text))


def invisible_in(text: str) -> tuple[str, ...]:
    """The different invisible characters of a text, each as `U+200B`, in order."""
    if text.isprintable():
        return ()
    return tuple(dict.fromkeys(f"U+{ord(found):04X}" for found in INVISIBLE.findall(text)))
