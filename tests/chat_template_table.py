"""Which chat templates the lab serves and which it refuses: `python tests/chat_template_table.py` writes the table of
docs/chat_templates.md."""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from chat_templates import STYLES
from chat_tokenizers import (
    ANSWER,
    DAY,
    KINDS,
    QUESTION,
    answer_tokens,
    by_transformers,
    planted,
    stopped_clock,
    tokenizer,
)

from introlab.activations.extract import text_logprobs
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY
from introlab.generation.scheduler import generate
from introlab.network.chat import ChatFormat
from introlab.network.messages import Message, assistant, system, user
from introlab.network.model import load

PAGE = Path(__file__).parent.parent / "docs" / "chat_templates.md"
BEGIN, END = "<!-- table begins -->", "<!-- table ends -->"
LIKE = {
    "chatml": "ChatML",
    "chatml, own system text": "SmolLM2",
    "chatml, tools": "Qwen2.5",
    "chatml, thoughts": "Qwen3",
    "open thought": "DeepSeek-R1 and its distillations",
    "inst": "Llama 2",
    "start of header, date": "Llama 3.1",
    "turns of a model, no system": "Gemma, Gemma 2",
    "inst, system text last": "Mistral v3",
    "angles": "Zephyr",
    "angles, own end": "Phi-3",
    "transcript": "Vicuna",
    "instruction and response": "Alpaca",
    "names": "Falcon",
    "turn tokens": "Command R",
    "roles between tokens, date": "Granite",
    "angles, end after answers": "Tulu, OLMo",
    "correct user": "OpenChat",
    "channels, date": "gpt-oss",
    "parts": "templates of multimodal models",
}
"""Public families whose templates have the shape."""
TALK = [system("one"), system("two"), user("three"), user("four"), assistant("five"), system("six"), user("seven")]


def carried(chat: ChatFormat, messages: Sequence[Message]) -> str:
    """Whether every message has a place of its own, or why not."""
    try:
        return "yes" if len(chat.spans(messages)) == len(messages) else "no"
    except InputError as refused:
        return f"refused: {str(refused).splitlines()[0]}"


def read_back(name: str, kind: str) -> bool:
    """Whether a model's own greedy answer has, as text read back, the tokens and log-probabilities it was written
    with."""
    tokens = tokenizer(STYLES[name], kind)
    header, answer = answer_tokens(name, kind)
    with TemporaryDirectory() as folder:
        model = load(str(planted((header[-1], *answer), tokens, Path(folder))), device="cpu", today=DAY)
    request = Request(tuple(model.ids(QUESTION)), "a", max_new=len(answer), sampling=GREEDY)
    ((_, wrote),) = generate(model, [request], seed=0)
    ids, begin = model.begun(QUESTION, completion=model.text(wrote.tokens))
    if tuple(ids) != (*request.prompt, *wrote.tokens) or list(wrote.tokens) != answer:
        return False
    (again,) = text_logprobs(model, [Text(tuple(ids), begin, "a")])
    return max(abs(one - other) for one, other in zip(again, wrote.logprobs, strict=True)) < 1e-4


def prefilled(name: str, kind: str) -> bool:
    """Whether a prefill has the tokens of transformers' `continue_final_message`."""
    chat = ChatFormat(tokenizer(STYLES[name], kind), today=DAY)
    theirs = by_transformers(name, kind, [*QUESTION, assistant(ANSWER)], continue_final_message=True)
    return chat.ids(QUESTION, prefill=ANSWER) == theirs


def row(name: str) -> str:
    """One line of the table."""
    style, like = STYLES[name], LIKE.get(name, "")
    try:
        chats = [ChatFormat(tokenizer(style, kind), today=DAY) for kind in KINDS]
    except InputError as refused:
        what, given = str(refused).splitlines()[:2]
        return f"| {name} | {like} | refused by name: {what} ({given.strip()[7:90]}) | | | | | |"
    dialogues = " / ".join(sorted({carried(chat, TALK) for chat in chats}))
    single = " / ".join(sorted({carried(chat, [system("one"), user("two")]) for chat in chats}))
    compared = style.history and style.template is not None
    words = "yes" if compared and all(prefilled(name, kind) for kind in KINDS) else "no"
    back = "yes" if all(read_back(name, kind) for kind in KINDS) else "no"
    notes = "; ".join(chats[0].notes)
    cells = [name, like, single, dialogues, words if compared else "-", back, style.end or "", notes]
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def main() -> int:
    """Write the table between its marks."""
    heads = ["style", "as in", "system and user", "long dialogue", "prefill", "own answer", "ends", "notes"]
    with stopped_clock():
        lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *map(row, STYLES)]
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{chr(10).join(lines)}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
