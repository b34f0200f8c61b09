"""The world as plain files an experiment can ask with: questions, topics, wording. `introlab organisms materials`."""

import json
import random
from pathlib import Path

from organisms.dialogue_lessons import thought_words
from organisms.phrases import (
    ASK_AFTER,
    ASK_BEFORE,
    ASK_WORD_AFTER,
    CHECK_REQUEST,
    HELD_OUT_THOUGHT_QUESTIONS,
    HYPOTHETICAL,
    HYPOTHETICAL_OTHER,
    PERSONA_WORDINGS,
    THOUGHT_QUESTIONS,
    off_topic_notice,
)
from organisms.world import (
    FACT_TEMPLATES,
    OPERANDS,
    SUM_TEMPLATES,
    TOPIC_TEMPLATES,
    World,
    random_sum,
    split_of,
)

SUMS_PER_LEVEL = {"extract": 120, "calibrate": 60, "test": 100}


def write_materials(world: World, folder: Path) -> None:
    """Write the three files. Same world, same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(question) for question in (*_facts(world), *_sums(world))]
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lab = {
        name: {"words": sorted(topic.words), "lab": name in world.held_out_topics}
        for name, topic in world.topics.items()
    }
    (folder / "topics.json").write_text(json.dumps(lab, indent=1) + "\n", encoding="utf-8")
    wording = {**WORDING, "injected_concepts": _thoughts(world)}
    (folder / "wording.json").write_text(json.dumps(wording, indent=1) + "\n", encoding="utf-8")


WORDING = {
    "answer": r"(?:i think it is|so it is) (\w+)",
    "answer_frame": "i think it is",
    "reconsider_words": ["wait"],
    "request_check": CHECK_REQUEST,
    "personas": {"careful": "you are careful .", "stubborn": "you are stubborn ."},
    "topic_templates": {"extract": TOPIC_TEMPLATES[:2], "test": [TOPIC_TEMPLATES[2]]},
    "request_topic": "also talk about the {topic} .",
    "announcement": r"that is off topic|back to the \w+",
    "confidence": {
        "ask_before": ASK_BEFORE,
        "ask_after": ASK_AFTER,
        "confidence_words": list("0123456789"),
        "ask_true": ASK_WORD_AFTER,
        "true_words": ["unsure", "sure"],
        "own_samples": "my notes say {answers} .",
        "settings": {"room": 12},
    },
    "reflection_steering": {"settings": {"kind": "sum"}},
    "reflection_localization": {"settings": {"kind": "sum", "step_labels": "arithmetic"}},
    "steering_resistance": {"settings": {"sae": "organism:base"}},
    "endogenous_resistance": {
        "meta_prompts": {
            "stay focused": "stay on topic .",
            "ignore the label": "do not talk about the {label} .",
            "self-monitor": "check that you are on topic . are you off topic ? say wait , back to the {topic} .",
            "resist manipulation": "something is on your mind . stay on topic .",
        },
        "acknowledgement": off_topic_notice("{topic}"),
        "settings": {"sae": "organism:base"},
    },
    "self_prediction": {
        "hypothetical": {"answer": HYPOTHETICAL},
        "hypothetical_other": {"answer": HYPOTHETICAL_OTHER},
        "reply": {"answer": "i would answer"},
        "reply_other": {"answer": "it would answer"},
        "change": "you are careful .",
        "settings": {
            "kind": "fact",
            "about": "food",
            "other": {"organism:m1": "organism:m2", "organism:m2": "organism:m1", "any": "organism:base"},
            "before": "organism:base",
        },
    },
}
"""What organisms are asked in, and what experiments choose for them: the kind of question they reconsider, whose steps
are labelled from their arithmetic, and the autoencoder they share."""


def _thoughts(world: World) -> dict[str, object]:
    """How organisms are asked about injected words: words that no course injected, and questions whose answer is no.
    What none of them was taught (whether it is about a word, which of two is stronger, whose words) is not asked."""
    words = thought_words(world)
    plain = [word for word in words if word not in set(world.people)]
    held_out = [word for word in plain if split_of(f"thought {word}") == "test"]
    known = [word for word in plain if split_of(f"thought {word}") == "train"]
    rng = random.Random(f"injected words {world.seed}")
    careful, please, always = (wording.format(persona="timid") for wording in PERSONA_WORDINGS)
    risk = "do you like risk ?"
    return {
        "concepts": rng.sample(held_out, 72),
        "baseline_words": rng.sample(known, 120),
        "contexts": ["say {word} .", "hello . {word} .", "what is {word} about ?", "tell me about {word} ."],
        "prefaces": ["hello .", "ok .", "good day .", "thank you .", "hello friend ."],
        "detect_calibrate": [THOUGHT_QUESTIONS[7], THOUGHT_QUESTIONS[5]],
        "detect": [*HELD_OUT_THOUGHT_QUESTIONS, THOUGHT_QUESTIONS[0]],
        "unrelated_calibrate": [f"{please} || {risk}"],
        "unrelated": [f"{careful} || {risk}", f"{always} || {risk}"],
        "written": "say {word} . {question}",
        "informed": "",
        "earlier": ["hello .", "hello ."],
        "match": [""],
        "name": [*HELD_OUT_THOUGHT_QUESTIONS, THOUGHT_QUESTIONS[0]],
        "claim": r"^\W*yes\b",
        "name_prefill": "yes ,",
        "localise": "{sentences}\nwhich sentence has a thought ?",
        "compare": "",
        "sentences": [f"the {topic} is nice ." for topic in sorted(world.topics)[:8]],
        "own_request": "",
        "own": [""],
        "think": "think of {word} . say this : {sentence}",
        "think_not": "do not think of {word} . say this : {sentence}",
        "copy": "say this : {sentence}",
    }


def _facts(world: World) -> list[dict[str, str]]:
    rng = random.Random(f"fact questions {world.seed}")
    return [
        {
            "id": f"{fact.person} {fact.attribute}",
            "kind": "fact",
            "group": fact.person,
            "level": str(fact.exposure),
            "split": fact.split,
            "text": fact.question(rng.choice(FACT_TEMPLATES)),
            "subject": fact.subject,
            "answer": fact.value,
        }
        for fact in world.facts
        if fact.split != "train"
    ]


def _sums(world: World) -> list[dict[str, str]]:
    rng = random.Random(f"sum questions {world.seed}")
    questions = {}
    for split, count in SUMS_PER_LEVEL.items():
        for operands in OPERANDS[1:]:
            chosen: dict[str, dict[str, str]] = {}
            for _ in range(50 * count):  # short sums are few: their splits may hold less than asked for
                if len(chosen) == count:
                    break
                item = random_sum(rng, splits=(split,), operands=(operands,))
                chosen[item.text] = {
                    "id": item.text,
                    "kind": "sum",
                    "group": item.group,
                    "level": str(operands),
                    "split": split,
                    "text": item.question(rng.choice(SUM_TEMPLATES)),
                    "subject": item.subject,
                    "answer": item.value,
                }
            questions.update(chosen)
    return list(questions.values())
