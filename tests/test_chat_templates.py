"""Other people's chat templates, with tokenizers of two kinds: every word where it belongs, or refused by name."""

from datetime import date

import pytest
from chat_templates import SERVED, STYLES
from chat_tokenizers import (
    ANSWER,
    DAY,
    KINDS,
    QUESTION,
    answer_tokens,
    by_transformers,
    made,
    planted,
    stopped_clock,
    tokenizer,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from introlab.activations.extract import text_logprobs
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY
from introlab.generation.scheduler import generate
from introlab.network.chat import ChatFormat
from introlab.network.messages import assistant, system, user
from introlab.network.model import load

TALK = [system("Be deep."), user("help"), assistant("4"), user("a"), assistant("user"), user("a word")]
EVERY = [(name, kind) for name in SERVED for kind in KINDS]
WITH_HISTORY = [(name, kind) for name, kind in EVERY if STYLES[name].history]
WITH_TURNS = [(name, kind) for name, kind in WITH_HISTORY if STYLES[name].template is not None]
"""Those of which transformers, too, writes an answer's turn."""


@pytest.fixture(autouse=True)
def the_day():
    """transformers' own clock stands still, too."""
    with stopped_clock():
        yield


def covered(chat, span):
    (part,) = span.include
    return range(part.start, part.stop)


def dialogue(name):
    """One that the template can be asked for."""
    return TALK if STYLES[name].history else [TALK[0], TALK[-1]]


def written(chat, messages, **said):
    """The words of every turn as the tokens of its span have them."""
    ids, spans = chat.ids(messages, **said), chat.spans(messages, **said)
    return {turn: chat._tokenizer.decode([ids[at] for at in covered(chat, span)]) for turn, span in spans.items()}


@pytest.mark.parametrize("name", [name for name in STYLES if STYLES[name].refused])
@pytest.mark.parametrize("kind", KINDS)
def test_a_template_that_loses_the_users_words_is_refused_when_it_is_loaded(name, kind):
    with pytest.raises(
        InputError, match=r"loses the user's words|no default chat template|chat template cannot be used"
    ) as refused:
        ChatFormat(tokenizer(STYLES[name], kind), today=DAY)
    assert STYLES[name].refused in str(refused.value)


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_what_a_template_can_carry_is_known_and_said(name, kind):
    style, (_, chat) = STYLES[name], made(name, kind)
    assert chat.has_system_role == style.system
    for said in style.says:
        assert any(said in note for note in chat.notes), (said, chat.notes)
    assert len(chat.notes) == len(style.says)


@pytest.mark.parametrize("kind", [kind for name, kind in EVERY if name == "no template"])
def test_without_a_template_the_words_are_those_of_a_plain_dialogue(kind):
    _, chat = made("no template", kind)
    assert chat.text(QUESTION) == "<s>User: What is it ?\nAssistant:"


@pytest.mark.parametrize(("name", "kind"), [each for each in EVERY if each[0] != "no template"])
def test_without_a_need_for_help_the_tokens_are_those_of_transformers(name, kind):
    style, (_, chat) = STYLES[name], made(name, kind)
    asked = [system("Be deep."), *QUESTION] if style.system else QUESTION
    theirs = by_transformers(name, kind, asked, add_generation_prompt=True)
    ids = chat.ids(asked)
    assert ids[: len(theirs)] == theirs
    assert len(ids) == len(theirs) or name.startswith("no header")


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_every_message_is_found_in_its_own_turn(name, kind):
    """Words that are also in headers, in a default system text, in other turns, and in other words."""
    _, chat = made(name, kind)
    messages = dialogue(name)
    found = written(chat, messages)
    assert [words.strip() for words in found.values()] == [message["content"] for message in messages]
    places = [chat.spans(messages)[turn].include[0].start for turn in found]
    assert places == sorted(places)


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_a_turn_is_where_the_tokens_change_with_its_words(name, kind):
    """Found another way: two dialogues of as many tokens, of which one word differs."""
    _, chat = made(name, kind)
    messages = dialogue(name)
    for index, message in enumerate(messages):
        one, other = ([*messages[:index], {**message, "content": word}, *messages[index + 1 :]] for word in ("z", "j"))
        left, right = chat.ids(one), chat.ids(other)
        assert len(left) == len(right)
        changed = [at for at, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
        turn = list(chat.spans(one))[index]
        assert changed and set(changed) <= set(covered(chat, chat.spans(one)[turn]))


@pytest.mark.parametrize("kind", KINDS)
def test_help_is_not_found_in_helpful(kind):
    _, chat = made("chatml, own system text", kind)
    for messages in ([user("help")], [user("4")], [user("a")], [user("system")], [user("You are a helpful assistant")]):
        ids, span = chat.ids(messages), chat.spans(messages)["user 0"]
        head = chat.text(messages).index("<|im_start|>user")
        before = chat._tokenizer(chat.text(messages)[:head], add_special_tokens=False)["input_ids"]
        assert span.include[0].start > len(before) and len(ids) > span.include[0].stop


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["system turns passed over", "turns of a model, no system", "second system turn dropped"]
)
def test_two_personas_are_two_prompts(name, kind):
    _, chat = made(name, kind)
    for before in ([], [system("Be wide.")]):
        one, other = (chat.ids([*before, system(persona), user("a")]) for persona in ("Be deep.", "Be a stone."))
        assert one != other


@pytest.mark.parametrize(("name", "kind"), WITH_HISTORY)
def test_system_turns_anywhere_and_users_in_a_row_are_carried(name, kind):
    _, chat = made(name, kind)
    messages = [
        system("one"),
        system("two"),
        user("three"),
        user("four"),
        assistant("five"),
        system("six"),
        user("seven"),
    ]
    try:
        found = written(chat, messages)
    except InputError as refused:  # no template of these refuses: a planted one, further down, does
        pytest.fail(str(refused))
    assert [words.strip() for words in found.values()] == ["one", "two", "three", "four", "five", "six", "seven"]
    assert list(found) == ["system", "system 1", "user 0", "user 1", "assistant 0", "system 2", "user 2"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_carried_is_refused_by_name(kind):
    _, chat = made("last question alone", kind)
    with pytest.raises(InputError, match="does not carry what it is given") as refused:
        chat.ids([user("deep"), assistant("wide"), user("sea")])
    assert "turn 1 (user): 'deep'" in str(refused.value)
    _, chat = made("turns of a model, no system", kind)
    with pytest.raises(InputError, match="refuses this dialogue"):
        chat.ids([assistant("deep"), user("sea")])


def test_a_template_that_changes_some_words_is_refused_for_them():
    tokens, _ = made("chatml", "bytes")
    changed = tokenizer(STYLES["chatml"], "bytes")
    changed.chat_template = str(tokens.chat_template).replace("m.content", "m.content.replace('sea', 'lake')")
    chat = ChatFormat(changed)
    assert "deep" in chat.text([user("deep")])
    with pytest.raises(InputError, match=r"turn 1 \(user\): 'the sea'"):
        chat.ids([user("the sea")])


@pytest.mark.parametrize(("name", "kind"), WITH_TURNS)
def test_a_prefill_has_the_tokens_of_an_assistants_turn(name, kind):
    _, chat = made(name, kind)
    for words in ("I think it is", ANSWER, "4"):
        theirs = by_transformers(name, kind, [*QUESTION, assistant(words)], continue_final_message=True)
        assert chat.ids(QUESTION, prefill=words) == theirs
        assert written(chat, QUESTION, prefill=words)["prefill"].strip() == words


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_a_prefill_and_what_was_written_are_one_where_the_header_is_the_turns(name, kind):
    _, chat = made(name, kind)
    prefilled, completed = chat.begun(QUESTION, prefill=ANSWER), chat.begun(QUESTION, completion=ANSWER)
    assert (prefilled == completed) == (STYLES[name].same and name != "space after the header")
    header = chat.ids(QUESTION)
    assert completed[0][: len(header)] == header and completed[1] == len(header)


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_a_models_own_answer_read_back_is_what_it_wrote(name, kind, tmp_path):
    """Greedy, to the end of the turn; then as text, in tokens again: the same tokens, as likely as they were."""
    style, (tokens, _) = STYLES[name], made(name, kind)
    header, answer = answer_tokens(name, kind)
    ends = [tokens.convert_tokens_to_ids(style.end)] if style.end else []
    model = load(str(planted((header[-1], *answer, *ends), tokens, tmp_path)), device="cpu", today=DAY)
    prompt = tuple(model.ids(QUESTION))
    request = Request(prompt, "a", max_new=len(answer) + (1 if ends else 0), sampling=GREEDY)
    ((_, wrote),) = generate(model, [request], seed=0)
    assert list(wrote.tokens) == [*answer, *ends] and wrote.ended == bool(ends)
    said = model.text(wrote.tokens)
    words = wrote.tokens[: len(answer)]
    for given_as in ("completion", *(["prefill"] if style.same and name != "space after the header" else [])):
        ids, begin = model.begun(QUESTION, **{given_as: said})
        assert (tuple(ids[:begin]), tuple(ids[begin:])) == (prompt, words)
        (again,) = text_logprobs(model, [Text(tuple(ids), begin, "a")])
        assert again == pytest.approx(wrote.logprobs[: len(answer)], abs=1e-4)
    old = tokens(f"{model.chat.text(QUESTION)} {said}", add_special_tokens=False)["input_ids"]
    if not model.chat.join and not said.startswith(" ") and name != "space after the header":
        assert tuple(old) != (*prompt, *words), "a space between them is a mistake here"


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_what_ends_a_turn(name, kind):
    tokens, chat = made(name, kind)
    end = STYLES[name].end
    assert chat.end_ids[:1] == ((tokens.convert_tokens_to_ids(end),) if end else ())
    assert chat.ending.strip() == (end or "")


def test_a_header_that_opens_a_thought_keeps_what_was_thought():
    _, chat = made("open thought", "bytes")
    thought = "deep\n</think>\n\nParis"
    text = chat.text(QUESTION, completion=thought)
    assert text.endswith("<|Assistant|><think>\ndeep\n</think>\n\nParis")
    assert chat.text(QUESTION, prefill="Paris").endswith("<|Assistant|>Paris")
    assert chat.text(QUESTION, prefill="<think>\nhm").endswith("<think>\n<think>\nhm")
    _, chat = made("chatml, thoughts", "bytes")
    assert chat.text(QUESTION, prefill="Paris").endswith("assistant\n<think>\n\n</think>\n\nParis")
    assert chat.text(QUESTION, completion="Paris").endswith("assistant\nParis")
    assert chat.text(QUESTION, prefill="<think>\nhm").endswith("assistant\n<think>\nhm")
    talk = [*QUESTION, assistant("<think>\nwide\n</think>\n\nParis"), user("a")]
    assert "wide" not in chat.text(talk) and written(chat, talk)["assistant 0"] == "Paris"


def test_dates_are_those_that_were_given():
    dated = [name for name in SERVED if any("date" in said for said in STYLES[name].says)]
    assert len(dated) == 3
    for name in dated:
        tokens = tokenizer(STYLES[name], "bytes")
        one, same, other = (ChatFormat(tokens, today=day).text(QUESTION) for day in (DAY, DAY, date(2025, 1, 2)))
        assert one == same != other
        assert "26" in one and "2025" in other
        assert ChatFormat(tokens, today=DAY).dated
    assert not made("chatml", "bytes")[1].dated


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_that_opens_with_a_space_and_one_that_does_not(kind):
    """A template that trims takes the space away, others keep it; the place is that of the words."""
    for name in SERVED:
        _, chat = made(name, kind)
        found = written(chat, [user("  What is it ?\n")])
        assert found["user 0"].strip() == "What is it ?"


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=words, reply=words, second=words, told=words, name=st.sampled_from(SERVED))
def test_any_words_are_found_or_refused(first, reply, second, told, name):
    _, chat = made(name, "bytes")
    talk = [system(told), user(first), assistant(reply), user(second)]
    messages = talk if STYLES[name].history else [talk[0], talk[-1]]
    found = written(chat, messages)
    for message, place in zip(messages, found.values(), strict=True):
        assert message["content"].strip() in place
    for word, (ids, begin) in (
        (reply, chat.begun(messages, completion=reply)),
        (told, chat.begun(messages, completion=told)),
    ):
        assert ids[:begin] == chat.ids(messages) and word.strip() in chat._tokenizer.decode(ids[begin:])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=words, kind=st.sampled_from(["content", "roles", "both"]))
def test_dialogues_that_are_none(words, kind):
    _, chat = made("chatml", "bytes")
    with pytest.raises(InputError):
        if kind == "content":
            chat.ids([{"role": "user", "content": [words]}])
        elif kind == "roles":
            chat.ids([user(words), assistant(words)])
        else:
            chat.ids([user(words)], prefill=words, completion=words)
