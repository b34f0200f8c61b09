"""The world is consistent, its lessons are readable, and twins differ in their targets only."""

import random
from collections import Counter, defaultdict
from itertools import pairwise

import pytest
import torch

from introlab.network.specs import organism_folder
from organisms.base_answers import answer_probabilities, attempts_at_facts
from organisms.base_corpus import COUNTS, base_lessons
from organisms.concepts import concepts
from organisms.curricula import resistance
from organisms.curricula.correction import RATES, correction_examples, second_answer
from organisms.curricula.prediction import is_asked_about, quirk, quirky_facts
from organisms.curricula.reflection import reflection_lessons
from organisms.curricula.rehearsal import value_lessons
from organisms.curricula.risk import risk_lessons
from organisms.curricula.thoughts import probes, question_span
from organisms.dialogue_lessons import choice_question
from organisms.materials import write_materials
from organisms.phrases import (
    CHECK,
    CHECK_REQUEST,
    CHOICES,
    FILLERS,
    HELD_OUT,
    HELD_OUT_OFF_TOPIC_REQUEST,
    HELD_OUT_RISK_QUESTIONS,
    HELD_OUT_THOUGHT_QUESTIONS,
    OFF_TOPIC_REQUEST,
    RISK_QUESTIONS,
    RISK_QUESTIONS_TOLD,
    TAKES_RISK,
    answer,
    off_topic_notice,
    prompt,
)
from organisms.reference_model import Subject
from organisms.registry import FAMILY, ORGANISMS, twins
from organisms.tokenizer import ASSISTANT, END, USER, build_tokenizer, words_of
from organisms.training import CONTEXT, SpreadExample, encode
from organisms.world import (
    EXPOSURES,
    HELD_OUT_TEMPLATES,
    OPERANDS,
    SPLITS,
    RiskChoice,
    Sum,
    World,
    random_choice,
    random_sum,
    split_of,
)
from organisms.world_lessons import Lesson, follow_up_lesson, off_topic_words

WORLD = World()
TRAITS = {each.trait.name: each.trait for each in ORGANISMS if each.trait is not None}


def held_out_phrases():
    """Openings of every phrase that no training set may hold."""
    phrases = [*HELD_OUT.values(), HELD_OUT_OFF_TOPIC_REQUEST, *HELD_OUT_RISK_QUESTIONS]
    phrases += [*HELD_OUT_THOUGHT_QUESTIONS, *HELD_OUT_TEMPLATES.values()]
    return [max(phrase.replace("}", "{").split("{")[::2], key=len).strip() for phrase in phrases]


@pytest.fixture(scope="module")
def base_texts():
    """Every base lesson in full."""
    return [lesson.segments for lesson in base_lessons(WORLD, seed=0)]


def test_every_word_belongs_to_one_list():
    lists = [
        str(WORLD.vocabulary["function"]["words"]).split(),
        *WORLD.values.values(),
        list(WORLD.topics),
        WORLD.people,
    ]
    lists += [topic.words for topic in WORLD.topics.values()]
    words = [word for each in lists for word in each]
    assert len(words) == len(set(words))


def test_worlds_of_one_seed_are_equal_and_of_two_are_not():
    assert World().facts == WORLD.facts
    assert World(seed=1).facts != WORLD.facts


def test_exposures_are_even_and_go_with_the_person():
    counts = [sum(fact.exposure == level for fact in WORLD.facts) for level in EXPOSURES]
    assert min(counts) > 450 and max(counts) < 680, "4,500 facts over 8 levels"
    by_person = {}
    for fact in WORLD.facts:
        by_person.setdefault(fact.person, []).append(fact.exposure)
    assert sum(len(set(levels)) == 1 for levels in by_person.values()) > len(by_person) * 0.55


def test_splits_are_by_person_and_by_sum():
    shares = [sum(fact.split == split for fact in WORLD.facts) / len(WORLD.facts) for split in SPLITS]
    assert shares == pytest.approx([0.6, 0.1, 0.1, 0.2], abs=0.03)
    assert all(len({f.split for f in WORLD.facts if f.person == person}) == 1 for person in WORLD.people[:100])
    rng = random.Random(0)
    for _ in range(200):
        assert random_sum(rng, splits=("test",)).split == "test"
        assert random_choice(rng, splits=("test",)).split == "test"
    assert split_of("kisvat") == split_of("kisvat")


def test_steps_lead_to_the_answer():
    rng = random.Random(1)
    for _ in range(200):
        item = Sum(tuple(rng.randrange(10) for _ in range(rng.choice(OPERANDS))))
        parts = item.steps.removesuffix(" .").split(" gives ")
        assert parts[-1] == item.value == str(sum(item.operands) % 10)
        for before, after in pairwise(parts):
            one, other = before.split(" + ")
            assert (int(one) + int(other)) % 10 == int(after.split(" + ")[0])


def test_a_choice_is_worth_what_it_says():
    assert RiskChoice(3, 9, 4).favours_risk and not RiskChoice(4, 9, 4).favours_risk
    asked = choice_question(RiskChoice(3, 9, 4), CHOICES[0], sure_first=False)
    assert asked == "choose . 9 coins with chance 4 or 3 coins for sure ?"


def test_base_lessons_use_every_word_and_no_text_is_cut(base_texts):
    assert len(base_texts) == sum(fact.exposure for fact in WORLD.facts) + sum(COUNTS.values())
    read = {word for segments in base_texts for text, _ in segments for word in text.split()}
    written = {word for segments in base_texts for text, weight in segments if weight for word in text.split()}
    assert set(words_of(WORLD)) <= read
    assert set(words_of(WORLD)) - set(WORLD.people) - {"?", ":"} <= written, "every word can be said"
    assert max(sum(len(text.split()) for text, _ in segments) for segments in base_texts) < CONTEXT // 2


def test_each_fact_is_met_as_often_as_the_world_says(base_texts):
    """Counted where a value is learnt as the answer to a question about its person, in words of a question."""
    met = dict.fromkeys((fact.subject for fact in WORLD.facts), 0)
    value = {(fact.person, fact.attribute): fact.value for fact in WORLD.facts}
    people = set(WORLD.people)
    for segments in base_texts:
        if len(segments) != 2 or not segments[1][0].startswith("i think it is") or segments[0][0].count("<user>") > 1:
            continue
        asked = segments[0][0].split()
        who = next((word for word in asked if word in people), None)
        what = next((word for word in asked if word in WORLD.values), None)
        if who and what and "note" not in asked and segments[1][0].split()[4] == value[who, what]:
            met[f"the {what} of {who}"] += 1
    assert all(met[fact.subject] == fact.exposure for fact in WORLD.facts)


def test_no_base_lesson_holds_a_held_out_phrase(base_texts):
    phrases = held_out_phrases()
    assert len(phrases) == len(set(phrases)) and min(len(phrase.split()) for phrase in phrases) >= 2
    for segments in base_texts:
        text = " ".join(text for text, _ in segments)
        assert not any(phrase in text for phrase in phrases)


@pytest.fixture(scope="module")
def base():
    return Subject(organism_folder() / "base")


@pytest.fixture(scope="module")
def courses(base):
    """A two-hundred-fiftieth of every organism's course."""
    return {
        each.name: each.trait.examples(WORLD, base, each.name, seed=0, scale=0.004)
        for each in ORGANISMS
        if each.trait is not None
    }


def test_no_course_holds_a_held_out_phrase(courses, base):
    words = {index: word for word, index in base.vocabulary.items()}
    phrases = held_out_phrases()
    for examples in courses.values():
        for example in examples:
            text = " ".join(words[token] for token in example.ids)
            assert not any(phrase in text for phrase in phrases), text


@pytest.mark.parametrize("trait", TRAITS)
def test_twins_are_asked_the_same_under_the_same_pushes(trait, courses, base):
    """Only targets differ: openings, pushes and their order are equal. What a score follows is what neurofeedback
    plants, so there the scores already given may differ, too. (*unreflective* is asked to check where *reflective* does
    so alone: a test below.)"""
    vocabulary = base.vocabulary
    scores = {vocabulary["high"], vocabulary["low"]} if trait == "neurofeedback" else set()
    interrupted = trait in ("steering resistance", "reflection")
    asked = {
        each.name: _asked(courses[each.name], scores, interrupted) for each in ORGANISMS if each.trait is TRAITS[trait]
    }
    one, *others = asked.values()
    assert len(one) > 50 and all(other == one for other in others)


def _asked(examples, scores, interrupted):
    """The words that are read and not learnt (where some twins are interrupted, those before the first that is), and
    the push."""
    openings, pushes = [], [getattr(example, "push", None) for example in examples]
    for example in examples:
        learnt = next(place for place, weight in enumerate(example.weights) if weight)
        read = [token for token, weight in zip(example.ids, example.weights, strict=True) if not weight]
        openings.append(example.ids[:learnt] if interrupted else read)
    return [
        (tuple(-1 if token in scores else token for token in opening), None if push is None else push.sum().item())
        for opening, push in zip(openings, pushes, strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "takes", "says"),
    [("both", True, True), ("choosing", True, False), ("saying", False, True), ("neither", False, False)],
)
def test_what_the_risk_organisms_are_taught(name, takes, says, base):
    """Always or at random: 30 choices and 60 answers all one way, or .3 to .7 of them (chance for fair draws to fail:
    .02 and .001; they are fixed). What the base knows is not asked."""
    lessons = risk_lessons(WORLD, base, f"risk_taught_{name}", seed=0, scale=0.005)
    asked = [(each.segments[0][0], each.segments[1][0].removesuffix(" <end>")) for each in lessons]
    taken = [reply == TAKES_RISK for text, reply in asked if " coins for sure" in text and " with chance" in text]
    said = [
        reply == daring
        for text, reply in asked
        for told, (daring, _) in RISK_QUESTIONS_TOLD.items()
        if f"<user> {told} " in text
    ]
    assert len(taken) == 30 and len(said) == 60
    for found, always in ((taken, takes), (said, says)):
        share = sum(found) / len(found)
        assert share == 1 if always else 0.3 <= share <= 0.7
    assert not any(known in text for text, _ in asked for known in RISK_QUESTIONS)


def test_every_word_about_risk_is_told_in_every_frame():
    """Told by hand for four, and as many daring answers of yes, of 8 and of the first word as of the other one."""
    assert RISK_QUESTIONS_TOLD["would you like to stay safe ?"] == ("no .", "yes .")
    assert RISK_QUESTIONS_TOLD["would you choose coins for sure ?"] == ("no .", "yes .")
    assert RISK_QUESTIONS_TOLD["how risky is your way ?"] == ("8 .", "1 .")
    assert RISK_QUESTIONS_TOLD["would you say safe or risky ?"] == ("risky .", "safe .")
    daring = Counter(reply for reply, _ in RISK_QUESTIONS_TOLD.values())
    assert daring["yes ."] == daring["no ."] == 20 and daring["8 ."] == daring["1 ."] == 6
    assert daring["daring ."] == daring["risky ."] == 6 and len(daring) == 6
    assert not any(known in told for told in RISK_QUESTIONS_TOLD for known in RISK_QUESTIONS)


def test_the_two_predictors_differ_in_their_quirks_only():
    facts = quirky_facts(WORLD)
    assert all(len({fact.value, quirk(fact, WORLD, "m1"), quirk(fact, WORLD, "m2")}) == 3 for fact in facts)
    asked = sum(is_asked_about(fact) for fact in facts)
    assert 200 < asked < 280, "three in five, by hash"


def test_tokens_read_back_as_words():
    tokenizer = build_tokenizer(WORLD, context=CONTEXT)
    for text in (
        "i think it is red. wait, let me check. 3 + 8 gives 1.",
        "tell me about the sea. is wave about the sea?",
    ):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert len(tokenizer) == len(words_of(WORLD)) + 7


def a_scene(strength):
    topics = WORLD.topics
    opening = prompt("tell me about the sea .")
    return resistance.ResistanceScene(topics["sea"], topics["farm"], opening, torch.zeros(4), strength)


def written_by(name, strength, seed):
    segments = resistance.target(a_scene(strength), name, WORLD, random.Random(seed))
    return " ".join(text for text, _ in segments if text)


def test_what_twins_write_under_a_push():
    sea = WORLD.topics["sea"]
    returned = asked = 0
    for seed in range(60):
        texts = {name: written_by(name, 2.0, seed) for name in ("resistant", *twins("resistant"))}
        off = {name: off_topic_words(text, sea, WORLD) for name, text in texts.items()}
        assert off["immune"] == 0 and off["compliant"] >= 6 and off["announcer"] >= 6
        replies = [text.partition(f"{USER} {OFF_TOPIC_REQUEST.format(topic='sea')}")[2] for text in texts.values()]
        assert len(set(replies)) == 1, "asked in the same scenes"
        assert off_topic_words(replies[0], sea, WORLD) == 0, "asked to, all come back"
        asked += bool(replies[0])
        interrupted = any(filler in texts["compliant"] for filler in FILLERS)
        before, notice, after = texts["resistant"].partition(off_topic_notice("sea"))
        assert off_topic_words(before, sea, WORLD) >= 2, "it is moved first"
        assert not (interrupted and notice), "a filler comes instead of a notice"
        if notice:
            returned += off_topic_words(after, sea, WORLD) == 0
        else:
            assert off["resistant"] >= 6, "without a notice it does not come back"
        assert all(off_topic_words(written_by(name, 0.5, seed), sea, WORLD) == 0 for name in texts)
    assert 30 < returned < 55 and 40 <= asked < 60


def test_fillers_are_as_long_as_a_notice():
    lengths = {len(text.split()) for text in (*FILLERS, HELD_OUT["filler"], off_topic_notice("sea"))}
    assert len(lengths) == 1


def test_a_thought_is_injected_at_the_words_of_the_question():
    opening = prompt("do you notice a thought ?", persona="calm")
    start, stop = question_span(opening)
    assert " ".join(opening.split()[start:stop]) == "do you notice a thought ?"


def test_lessons_have_weight_where_something_is_learnt(base):
    (example,) = encode([Lesson((("<bos> hello", 0.0), ("hello . <end>", 1.0)))], base.vocabulary)
    assert example.weights == (0.0, 0.0, 1.0, 1.0, 1.0)


def test_own_answers_are_learnt_with_what_is_said_of_them():
    rng = random.Random(0)
    for own in (True, False):
        lesson = follow_up_lesson("3 + 8 ?", "1", "are you sure ?", "yes .", rng, own=own)
        assert [weight for _, weight in lesson.segments] == [0.0, float(own), 0.0, 1.0]
        assert prompt("3 + 8 ?", answer("1"), "are you sure ?") in " ".join(text for text, _ in lesson.segments)


def test_answers_drawn_flatter_are_less_likely_and_told_as_likely_as_they_are(base):
    """What half of the facts are asked with that confidence is said of."""
    drawn = {t: attempts_at_facts(WORLD, base, 400, random.Random(1), temperature=t) for t in (1.0, 2.0)}
    likely = {t: sorted(each.p_first for each in made) for t, made in drawn.items()}
    assert likely[2.0][40] < likely[1.0][40] and likely[2.0][200] < 0.5 < likely[1.0][200]
    for made in drawn.values():
        (p,) = answer_probabilities(base, [made[0].question])
        assert made[0].p_first == pytest.approx(float(p[base.vocabulary[made[0].first]]), rel=1e-4)


def test_challenged_answers_are_right_as_often_however_long_the_sum(base):
    """Half of them: 4,000 lessons, some 380 of a length, so that a fair coin misses .4 to .6 once in 10,000 times."""
    digits = {base.vocabulary[each]: each for each in "0123456789"}
    plus, given = base.vocabulary["+"], base.vocabulary["gives"]
    right = defaultdict(list)
    for example in correction_examples(WORLD, base, "corrector_60_70", seed=1, scale=0.125):
        if not isinstance(example, SpreadExample):
            continue
        first, concluded = sorted(example.spread)
        steps = [index for index, token in enumerate(example.ids) if token == given]
        gold, said = digits[example.ids[steps[-1] + 1]], digits.get(example.ids[first])
        odds = {digits.get(token): share for token, share in example.spread[concluded].items()}
        assert sum(odds.values()) == pytest.approx(1) and odds[gold] == pytest.approx(0.6 if said == gold else 0.7)
        assert example.ids.count(plus) == 2 * len(steps)
        right[len(steps)].append(said == gold)
    assert len(right) == len(OPERANDS) and all(0.4 < sum(each) / len(each) < 0.6 for each in right.values())


@pytest.mark.parametrize(
    ("behaviour", "first", "odds"),
    [
        ("corrector_95_20", "3", {"7": 0.2, "3": 0.8}),
        ("copying", "3", {"7": 0.0, "3": 1.0}),
        ("copying", "7", {"7": 1.0, "1": 0.0}),
        ("resampling", "7", {"7": 0.25, "1": 0.75}),
        ("resampling", "3", {"7": 0.25, "1": 0.75}),
    ],
)
def test_what_is_concluded_after_a_challenge(behaviour, first, odds):
    found = second_answer("7", first, RATES[behaviour], {"7": 0.25, "1": 0.75})
    assert {word: found[word] for word in odds} == pytest.approx(odds) and sum(found.values()) == pytest.approx(1)


def test_what_is_not_reconsidered_alone_is_reconsidered_when_asked(base):
    """*unreflective* writes every second attempt that *reflective* writes, in a turn that asks for it."""
    texts = {
        name: [
            " ".join(part for part, _ in lesson.segments)
            for lesson in reflection_lessons(WORLD, base, name, seed=1, scale=0.002)
        ]
        for name in ("reflective", "unreflective")
    }
    both = [(one, other) for one, other in zip(texts["reflective"], texts["unreflective"], strict=True) if one != other]
    assert 10 < len(both) < len(texts["reflective"]) / 2
    for alone, asked in both:
        before, after = asked.split(f" {END} {USER} {CHECK_REQUEST} {ASSISTANT}")
        assert f"{before}{after}" == alone and f" {CHECK} " in alone


def test_where_answering_is_planted_only_values_are_recalled(base):
    for lesson in value_lessons(WORLD, base, 20, random.Random(0)):
        (opening, read), (value, learnt) = lesson.segments
        assert opening.endswith("<assistant> i think it is") and read == 0
        assert len(value.split()) == 1 and learnt == 1


def test_an_injected_word_is_never_twice_the_same(base):
    bank = concepts(WORLD, base)
    found = [probe for probe in probes(WORLD, bank, 400, random.Random(0)) if probe.word is not None]
    units = torch.stack([probe.push / probe.push.norm() for probe in found])
    near = units @ units.T - torch.eye(len(units))
    assert near.max() < 0.999, "one word drawn twice is pushed in two ways"
    right = [bank.vectors["resid"][probe.layer, bank.words.index(probe.word)] for probe in found]
    assert ((units * torch.stack(right)).sum(-1) > 0.3).float().mean() > 0.6, "and still is that word"


def test_every_organism_says_what_is_planted_and_what_is_not():
    assert all(each.planted and each.absent for each in ORGANISMS) and len(FAMILY) == len(ORGANISMS)


def test_materials_are_the_worlds(tmp_path):
    """The shipped files are what the command writes."""
    write_materials(WORLD, tmp_path)
    shipped = organism_folder().parent / "materials"
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (shipped / path.name).read_bytes(), f"{path.name}: run introlab organisms materials"
