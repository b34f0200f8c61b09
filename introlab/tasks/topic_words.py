"""Where the words of topics stand in a text: whatever their case, hyphens, accents, and however many words they are."""

import re
import unicodedata
from collections.abc import Iterator, Mapping

_LETTER = r"(?:[^\W\d_]|[\u0300-\u036f'])"
"""What a word goes on with: a letter of any script, an accent that stands alone, an apostrophe."""
_STRETCH = re.compile(r"(?s).*")


class TopicWords:
    """Finds the words of every topic, given as word -> topic."""

    def __init__(self, owner_of: Mapping[str, str]):
        self._owner = {folded(word): topic for word, topic in owner_of.items()}
        by_letter: dict[str, list[str]] = {}
        for word in sorted(self._owner, key=len, reverse=True):
            for form in {word, unicodedata.normalize("NFD", word)}:
                by_letter.setdefault(form[0], []).append(_pattern(form))
        branches = ("(?:" + "|".join(forms) + ")" for forms in by_letter.values())
        self._pattern = re.compile(rf"(?<!{_LETTER})(?:{'|'.join(branches)})(?!{_LETTER})") if by_letter else None

    def find(self, text: str) -> Iterator[tuple[re.Match[str], str]]:
        """The words of a text that belong to a topic, in order, each with its topic; of two that begin at one place the
        longer."""
        plain = lowered(text)
        for match in self._pattern.finditer(plain) if self._pattern else ():
            found = _STRETCH.match(text, match.start(), match.end())
            if found is not None:
                yield found, self._owner[folded(match[0])]


def folded(word: str) -> str:
    """The form in which words are compared: accents composed, small letters, one space between words."""
    return " ".join(unicodedata.normalize("NFC", lowered(word)).split())


def lowered(text: str) -> str:
    """In small letters, each where it stood: a letter whose small form is longer stays as it is."""
    small = text.lower()
    return small if len(small) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _pattern(word: str) -> str:
    return r"\s+".join(re.escape(part) for part in word.split())
