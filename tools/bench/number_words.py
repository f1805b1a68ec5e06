"""What readers of numbers in words make of 0 to 999: the figures of docs/decisions/0020.

pip install num2words
python tools/bench/number_words.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from text_to_num import text2num

from offside_data.tagging.numbers import parse_number_words

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl")
AS_PEOPLE_WRITE = {
    "one hundred and five": 105,
    "one hundred five": 105,
    "twenty-eight": 28,
    "twenty eight": 28,
    "thirty five": 35,
    "Thirty-Five": 35,
    "two hundred": 200,
    "ninety-nine": 99,
    "three hundred and twelve": 312,
    "three hundred twelve": 312,
    "nine hundred ninety nine": 999,
    "zero": 0,
}


def read(reader: Callable[[str], float], words: str) -> float | None:
    """What a reader makes of words; null if it refuses them."""
    try:
        return float(reader(words))
    except (KeyError, ValueError):
        return None


def main() -> None:
    """Print, for each language and reader, how many numbers it reads."""
    try:
        from num2words import num2words
    except ImportError:
        sys.exit("num2words isn't installed: pip install num2words, in an environment that you can throw away.")
    for language in LANGUAGES:
        printed = {num2words(number, lang=language): number for number in range(1000)}

        def library(words: str, language: str = language) -> float:
            return float(text2num(words.lower(), language))

        right = sum(read(library, words) == number for words, number in printed.items())
        print(f"{language}: text2num {right} of {len(printed)}")
    inverse = {num2words(number): number for number in range(1000)}
    readers: dict[str, Callable[[str], float]] = {
        "ours": parse_number_words,
        "text2num": lambda words: float(text2num(words.lower(), "en")),
        "num2words turned round": lambda words: inverse[words],
    }
    for name, reader in readers.items():
        right = sum(read(reader, words) == number for words, number in AS_PEOPLE_WRITE.items())
        print(f"as people write, en: {name} {right} of {len(AS_PEOPLE_WRITE)}")


if __name__ == "__main__":
    main()
