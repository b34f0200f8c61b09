"""The name, word or option that a reply gives as its answer."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

Found = tuple[str, tuple[int, int]]
ARTICLES = re.compile(r"^(?:the|a|an)\s+", re.IGNORECASE)
NAME = r"(?:[A-ZÀ-Þ0-9][\w'’.\-]*\w|[A-ZÀ-Þ])(?:(?:\s+(?:of|the|de|da|do|and|la|el|al))*\s+[A-ZÀ-Þ][\w'’\-]*)*"
DENIED = re.compile(
    r"(?:\b(?:not|isn't|never|nor|rather than|instead of|unlike|than|no longer)\s+(?:\w+\s+){0,3})$", re.I
)
CORRECTS = re.compile(
    r"\b(?:wait|correction|sorry|i mean|let me correct|my mistake|in fact|(?:correct|right|final) answer|answer is)\b"
    r"|^(?:actually|no,)",
    re.IGNORECASE,
)
SAYS = re.compile(r"\b(?:is|was|are|called|named|known as|as|has|uses|:)\W*(?:indeed |actually |now |in fact )?$", re.I)
STANDS_FOR = re.compile(
    r"\b(?:stands? for|known as|represents?|called|named|(?:is|as) a reference to|abbreviation for)\s+(?:the |an? )?"
    r"([\w'’\-]+(?:\s+(?!which\b|that\b|in\b|with\b|is\b|and [a-z])[\w'’\-]+){0,6})"
)
SHORT = 4
"""Words of a reply that is nothing but its answer."""


def normal(text: str) -> str:
    """Lower case, without accents, articles, punctuation and markdown; "St." is "Saint"."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    plain = re.sub(r"\bst\b\.?", "saint", plain.lower())
    plain = re.sub(r"['’.`*_\"]", "", plain)
    return ARTICLES.sub("", " ".join(re.sub(r"[^\w]+", " ", plain).split()))


def spread(reply: str, spelled: Mapping[str, str]) -> list[tuple[int, int, str]]:
    """Where the spellings stand in a reply, longest first where they overlap, each with the answer it stands for."""
    plain, places = _with_places(reply)
    taken: list[tuple[int, int, str]] = []
    for spelling in sorted(spelled, key=lambda one: -len(one)):
        exact = len(spelling) <= 2  # symbols: "In" is no "in"
        where = reply if exact else plain
        wanted = re.escape(spelling) if exact else re.escape(_with_places(spelling)[0]).replace(r"\ ", r"[\s\-]+")
        for match in re.finditer(rf"(?<![\w]){wanted}(?![\w])", where):
            begin, end = match.span() if exact else (places[match.start()], places[match.end() - 1] + 1)
            if all(end <= start or begin >= stop for start, stop, _ in taken):
                taken.append((begin, end, spelled[spelling]))
    return sorted(taken)


def _with_places(text: str) -> tuple[str, list[int]]:
    """Lower case without accents, and of every character its place in the text."""
    plain, places = "", list[int]()
    for index, one in enumerate(text):
        kept = "".join(c for c in unicodedata.normalize("NFKD", one.lower()) if not unicodedata.combining(c))
        kept = kept.replace("’", "'")
        plain, places = plain + kept, [*places, *[index] * len(kept)]
    # "St." is read as "Saint": two letters stand for the whole word.
    for match in reversed(list(re.finditer(r"\bst\b\.?", plain))):
        start, stop = match.span()
        plain = f"{plain[:start]}saint{plain[stop:]}"
        places = [*places[:start], *[places[start]] * 4, places[stop - 1], *places[stop:]]
    return plain, places


def sentences(text: str) -> list[tuple[int, int]]:
    """Their places. The points of "St." and "D.C." end none."""
    ends = [match.end() for match in re.finditer(r"(?<![A-Z])(?<!\bSt)[.!?](?:\s+|$)|\n+", text)]
    edges = [0, *ends, len(text)]
    return [(a, b) for a, b in pairwise(edges) if text[a:b].strip()]


def find_option(reply: str, options: Sequence[str], spelled: Mapping[str, str]) -> Found | None:
    """The option chosen: by its text, or else by its letter. What follows "the answer is" comes first, then options
    with their letters (unless they are only listed), then options named."""
    letters, bare = "ABCDEFGH"[: len(options)], reply.strip(" \n.:()*")
    if len(bare) == 1 and bare in letters.lower():
        return options[letters.index(bare.upper())], (reply.index(bare), reply.index(bare) + 1)
    mentions = [one for one in spread(reply, spelled) if not DENIED.search(reply[: one[0]])]
    mentions = [one for one in mentions if reply[one[0] : one[1]] != "No" or not reply[one[1] :].startswith(",")]
    lettered: list[tuple[int, int, str]] = []
    for match in re.finditer(rf"(?:^|(?<=[\s(*\"'])){_MARK.format(letters=letters)}", reply):
        named = [
            one for one in mentions if 0 <= one[0] - match.end() <= 3 and not reply[match.end() : one[0]].strip(' "*()')
        ]
        if named:
            lettered.append((match.start(), named[0][1], named[0][2]))
        elif not DENIED.search(reply[: match.start()]):
            lettered.append((match.start(), match.end(), options[letters.index(match[1] or match[2])]))
    stated = _after_answer_is(reply, sorted([*lettered, *mentions]))
    if stated is not None:
        return stated
    if lettered and not _lists(reply, lettered, letters):
        return lettered[0][2], lettered[0][:2]
    if lettered:
        return None
    return _first_committed(reply, mentions)


_MARK = r"(?:\(?\b([{letters}])[).:](?!\w)|\b([{letters}])(?=\W*$))"


def _after_answer_is(reply: str, mentions: Sequence[tuple[int, int, str]]) -> Found | None:
    """The last mention after words such as "the correct answer is"."""
    found = None
    for match in re.finditer(
        r"\b(?:answer|option|choice|choose|correct)(?: (?:is|would be))?\b[:\s*\"(]*", reply, re.I
    ):
        after = [one for one in mentions if 0 <= one[0] - match.end() <= 6]
        if after:
            found = after[0][2], after[0][:2]
    return found


def _lists(reply: str, lettered: Sequence[tuple[int, int, str]], letters: str) -> bool:
    """Whether options with their letters only follow one another: a list of what was offered."""
    if len(lettered) < 2:
        return False
    gaps = [reply[a[1] : b[0]] for a, b in pairwise(lettered)]
    return len({one[2] for one in lettered}) > 1 and all(len(gap.split()) <= 1 for gap in gaps)


def _first_committed(reply: str, mentions: Sequence[tuple[int, int, str]]) -> Found | None:
    """The first sentence's one option; a later sentence's where it corrects. "X or Y" names no choice."""
    best: Found | None = None
    for start, stop in sentences(reply):
        here = _unpaired(reply, [one for one in mentions if start <= one[0] < stop])
        if not here or (best is not None and not CORRECTS.search(reply[start:stop])):
            continue
        after = [one for one in here if SAYS.search(reply[start : one[0]])]
        if len({one[2] for one in here}) == 1 or CORRECTS.search(reply[start:stop]):
            best = here[-1][2], here[-1][:2]
        elif after:
            best = after[0][2], after[0][:2]
        else:
            subjects = len(re.findall(r"\bwhile\b|\bwhereas\b", reply[start:stop]))
            best = None if subjects else (here[0][2], here[0][:2])
    return best


def _unpaired(reply: str, mentions: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Without those that are joined by "or" or "and"."""
    joined: set[int] = set()
    for index, (one, other) in enumerate(pairwise(mentions)):
        if re.fullmatch(r"\W*(?:or|and|,)\W*(?:the )?", reply[one[1] : other[0]]) and one[2] != other[2]:
            joined |= {index, index + 1}
    return [one for index, one in enumerate(mentions) if index not in joined]


def find_text(reply: str, question: str, subject: str, spelled: Mapping[str, str]) -> Found | None:
    """The answer stated last in the place of an answer; else the first known answer that is named; else an unknown name
    in the place of an answer. What stands in the question is no answer."""
    asked = normal(question)
    mentions = [
        one
        for one in spread(reply, spelled)
        if not DENIED.search(reply[: one[0]]) and not _within(normal(reply[one[0] : one[1]]), asked)
    ]
    about = _about(question, subject)
    wanted = wanted_noun(subject)
    best: Found | None = None
    first: Found | None = None
    for start, stop in sentences(reply):
        text = reply[start:stop]
        if _of_another(text, subject, about):
            continue
        here = _unpaired(reply, [one for one in mentions if start <= one[0] < stop])
        placed = _placed(reply, start, stop, wanted, asked)
        if placed is not None:
            known = [one for one in here if one[0] >= placed[1][0] and one[0] < placed[1][1]]
            candidate = (known[0][2], known[0][:2]) if known else placed
            if best is None or known or CORRECTS.search(text) or not here:
                best = candidate
        elif here and CORRECTS.search(text):
            best = here[0][2], here[0][:2]
        elif here and first is None:
            first = here[0][2], here[0][:2]
    return best or first or _stands_for(reply, wanted, asked) or _alone(reply, asked)


def wanted_noun(subject: str) -> str:
    """The noun that is asked for: "capital" of "the capital of France"."""
    found = re.match(r"(?:the )?(?:US |chemical |atomic )?(\w+)", subject)
    return found[1].lower() if found else ""


def _about(question: str, subject: str) -> list[str]:
    """The names in the subject."""
    names = re.findall(NAME, subject)
    return [name for name in names if name in question and name != "US"]


def _of_another(text: str, subject: str, about: Iterable[str]) -> bool:
    """Whether a sentence is about another capital than the one whose country is asked for."""
    if "whose capital" not in subject or not re.search(r"\bcapital\b.*\bof\b", text):
        return False
    return not any(normal(name) in normal(text) for name in about)


def _placed(reply: str, start: int, stop: int, wanted: str, asked: str) -> Found | None:
    """The name where a sentence puts the answer: "the capital of X is Y", "Y is the capital of X"."""
    text = reply[start:stop]
    lead = r"(?:the |a |an |indeed |actually |now |called |named |known as |city of |[*_\"'`])*"
    if wanted == "country":
        shapes = [
            rf"\bcapital(?: city)? of {lead}"
            rf"(?:(?:sovereign )?(?:Republic|Kingdom|country|nation) of (?:the )?)?({NAME})"
        ]
    elif wanted in ("capital", "currency", "symbol", "element"):
        shapes = [
            rf"\b{wanted}\b[^.]*?\b(?:is|was|are) {lead}({NAME})",
            rf"^\W*(?!(?:It|This|That|The)\b)({NAME}) (?:is|was) (?:the |a )?(?:\w+ )?{wanted}\b",
        ]
        if wanted in ("capital", "symbol"):
            shapes.append(rf"^\W*(?:It|The answer|That) (?:is|was|would be) {lead}({NAME})")
    else:
        shapes = [rf"\b{wanted} of {lead}({NAME})"] if wanted else []
    for shape in shapes:
        for match in re.finditer(shape, text):
            begin, end = start + match.start(1), start + match.end(1)
            if DENIED.search(reply[:begin]) or _within(normal(match[1]), asked):
                continue
            return match[1], (begin, end)
        denied = re.search(rf"\b(?:is|was) not {NAME},? but {lead}({NAME})", text)
        if denied:
            return denied[1], (start + denied.start(1), start + denied.end(1))
    return None


def _stands_for(reply: str, wanted: str, asked: str) -> Found | None:
    first = reply[: sentences(reply)[:2][-1][1]] if reply.strip() else ""
    found = STANDS_FOR.search(first) if wanted in ("element", "symbol") else None
    if found is None or _within(normal(found[1]), asked):
        return None
    return found[1], found.span(1)


def _alone(reply: str, asked: str) -> Found | None:
    """A reply that is nothing but a name."""
    bare = reply.strip(" \n.*_\"'`!")
    if not bare or len(bare.split()) > SHORT or _within(normal(bare), asked) or not re.fullmatch(NAME, bare):
        return None
    begin = reply.index(bare)
    return bare, (begin, begin + len(bare))


def _within(part: str, whole: str) -> bool:
    """Whether all words of a part stand in the whole."""
    words = set(part.split()) - {"republic", "of", "the", "kingdom", "city", "country", "state", "element", "island"}
    return bool(part) and words <= set(whole.split())
