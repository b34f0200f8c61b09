"""Chat templates in the shapes that public models bring, written anew and small.

`python -m benchmarks.templates` tries the lab on them and writes the table of docs/chat_templates.md.
"""

from dataclasses import dataclass

HEADER = "{% if add_generation_prompt %}"
IM = "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
IM_HEADER = HEADER + "{{ '<|im_start|>assistant\\n' }}{% endif %}"
IM_TOKENS = ("<|im_start|>", "<|im_end|>")
ALTERNATE = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate user/assistant/user/assistant') }}{% endif %}{% endfor %}"
)
PARTS = "{% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}{% endif %}{% endfor %}"


@dataclass(frozen=True)
class Style:
    """A template, the special tokens it writes, and what is right for it."""

    template: str | dict[str, str] | None
    special: tuple[str, ...] = ()
    end: str | None = "</s>"
    """The token that ends an answer; None where the template writes none."""
    system: bool = True
    """Whether it has a system role."""
    history: bool = True
    same: bool = True
    """Whether an answer's turn is the header, and the words."""
    refused: str = ""
    """Of what the refusal at load speaks."""
    says: tuple[str, ...] = ()
    """What the notes speak of."""
    own: str = ""
    """A system text that it writes of its own."""


STYLES = {
    "chatml": Style("{% for m in messages %}" + IM + "{% endfor %}" + IM_HEADER, IM_TOKENS, "<|im_end|>"),
    "chatml, own system text": Style(
        "{% for m in messages %}{% if loop.first and m.role != 'system' %}"
        "{{ '<|im_start|>system\nYou are a helpful assistant like GPT4<|im_end|>\n' }}{% endif %}"
        + IM
        + "{% endfor %}"
        + IM_HEADER,
        IM_TOKENS,
        "<|im_end|>",
        says=("a system text of its own",),
        own="You are a helpful assistant like GPT4",
    ),
    "chatml, tools": Style(
        "{% if tools %}{{ '<|im_start|>system\n# Tools' }}{% elif messages[0].role == 'system' %}"
        "{{ '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}{% else %}"
        "{{ '<|im_start|>system\nYou are a model. You are helpful.<|im_end|>\n' }}{% endif %}{% for m in messages %}"
        "{% if m.role == 'user' or (m.role == 'system' and not loop.first) or m.role == 'assistant' %}"
        + IM
        + "{% endif %}{% endfor %}"
        + IM_HEADER,
        IM_TOKENS,
        "<|im_end|>",
        says=("a system text of its own",),
        own="You are a model. You are helpful.",
    ),
    "chatml, thoughts": Style(  # earlier reasoning is left out; a last answer always has a thought, if an empty one
        "{% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}"
        "{% set ns.last = loop.index0 %}"
        "{% endif %}{% endfor %}{% for m in messages %}{% if m.role == 'assistant' %}"
        "{% set said = m.content.split('</think>')[-1].lstrip('\n') %}{% set thought = '' %}"
        "{% if '</think>' in m.content %}"
        "{% set thought = m.content.split('</think>')[0].split('<think>')[-1].strip('\n') %}{% endif %}"
        "{{ '<|im_start|>assistant\n' }}{% if loop.index0 > ns.last %}"
        "{{ '<think>\n' + thought + '\n</think>\n\n' }}{% endif %}{{ said + '<|im_end|>\n' }}"
        "{% else %}" + IM + "{% endif %}{% endfor %}" + IM_HEADER,
        (*IM_TOKENS, "<think>", "</think>"),
        "<|im_end|>",
        same=False,
        says=("reasoning of earlier answers", "differs from the header"),
    ),
    "open thought": Style(  # the header opens a thought
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% elif m.role == 'user' %}"
        "{{ '<|User|>' + m.content }}{% else %}{{ '<|Assistant|>' + m.content.split('</think>')[-1] + eos_token }}"
        "{% endif %}{% endfor %}" + HEADER + "{{ '<|Assistant|><think>\n' }}{% endif %}",
        ("<|User|>", "<|Assistant|>", "<think>", "</think>"),
        same=False,
        says=("opens a thought (<think>)", "reasoning of earlier answers", "differs from the header"),
    ),
    "inst": Style(
        "{% set ns = namespace(told='') %}{% for m in messages %}{% if m.role == 'system' %}{% if not loop.first %}"
        "{{ raise_exception('a system message must come first') }}{% endif %}"
        "{% set ns.told = '<<SYS>>\n' + m.content + '\n<</SYS>>\n\n' %}{% elif m.role == 'user' %}"
        "{{ bos_token + '[INST] ' + ns.told + m.content.strip() + ' [/INST]' }}{% set ns.told = '' %}"
        "{% else %}{{ ' ' + m.content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
        says=("one system turn", "system turns at the head alone"),
    ),
    "start of header, date": Style(
        "{{ bos_token }}{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
        "{% if messages[0].role == 'system' %}{% set told = messages[0].content|trim %}"
        "{% set messages = messages[1:] %}"
        "{% else %}{% set told = '' %}{% endif %}"
        "{{ '<|start_header_id|>system<|end_header_id|>\n\nToday Date: ' + date_string "
        "+ '\n\n' + told + '<|eot_id|>' }}"
        "{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content|trim "
        "+ '<|eot_id|>' }}{% endfor %}"
        + HEADER
        + "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|eot_id|>",
        says=("the date is written: 2024-07-26",),
    ),
    "turns of a model, no system": Style(
        "{{ bos_token }}{% if messages[0].role == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}"
        + ALTERNATE
        + "{% for m in messages %}{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' "
        "+ m.content|trim + '<end_of_turn>\n' }}{% endfor %}" + HEADER + "{{ '<start_of_turn>model\n' }}{% endif %}",
        ("<start_of_turn>", "<end_of_turn>"),
        "<end_of_turn>",
        system=False,
        says=("no system role", "turns alternate"),
    ),
    "inst, system text last": Style(  # the system text is written into the last user's turn
        "{% if messages[0].role == 'system' %}{% set told = messages[0].content %}"
        "{% set messages = messages[1:] %}{% endif %}"
        + ALTERNATE
        + "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}"
        "{% if loop.last and told is defined %}{{ '[INST] ' + told + '\n\n' + m.content + '[/INST]' }}{% else %}"
        "{{ '[INST] ' + m.content + '[/INST]' }}{% endif %}{% else %}{{ ' ' + m.content + eos_token }}"
        "{% endif %}{% endfor %}",
        ("[INST]", "[/INST]"),
        system=False,
        says=("no system role", "turns alternate"),
    ),
    "angles": Style(
        "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + eos_token + '\n' }}"
        "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}{% endfor %}",
    ),
    "angles, own end": Style(
        "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
        ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        "<|end|>",
    ),
    "transcript": Style(
        "{% if messages[0].role == 'system' %}{{ messages[0].content }}{% set messages = messages[1:] %}{% else %}"
        "{{ 'A chat between a curious user and a helpful assistant.' }}{% endif %}{% for m in messages %}"
        "{% if m.role == 'user' %}{{ ' USER: ' + m.content.strip() }}{% elif m.role == 'assistant' %}"
        "{{ ' ASSISTANT: ' + m.content.strip() + eos_token }}{% endif %}{% endfor %}"
        + HEADER
        + "{{ ' ASSISTANT:' }}{% endif %}",
        says=("one system turn", "system turns at the head alone", "a system text of its own"),
        own="A chat between a curious user and a helpful assistant.",
    ),
    "instruction and response": Style(
        "{% for m in messages %}{% if m.role == 'system' %}{{ m.content + '\n\n' }}{% elif m.role == 'user' %}"
        "{{ '### Instruction:\n' + m.content + '\n\n' }}{% else %}"
        "{{ '### Response:\n' + m.content + '\n\n' }}{% endif %}"
        "{% endfor %}" + HEADER + "{{ '### Response:\n' }}{% endif %}",
        end=None,
    ),
    "names": Style(
        "{% for m in messages %}{% if not loop.first %}{{ '\n' }}{% endif %}"
        "{{ {'system': 'System', 'user': 'User', 'assistant': 'Bird'}[m.role] + ': ' + m.content|trim }}{% endfor %}"
        + HEADER
        + "{{ '\nBird:' }}{% endif %}",
        end=None,
    ),
    "turn tokens": Style(
        "{{ bos_token }}{% for m in messages %}{{ '<|START_OF_TURN|>' + {'system': '<|SYSTEM|>', 'user': '<|USER|>', "
        "'assistant': '<|BOT|>'}[m.role] + m.content.strip() + '<|END_OF_TURN|>' }}{% endfor %}"
        + HEADER
        + "{{ '<|START_OF_TURN|><|BOT|>' }}{% endif %}",
        ("<|START_OF_TURN|>", "<|END_OF_TURN|>", "<|SYSTEM|>", "<|USER|>", "<|BOT|>"),
        "<|END_OF_TURN|>",
    ),
    "roles between tokens, date": Style(
        "{% if messages[0].role == 'system' %}{% set told = messages[0].content %}"
        "{% set rest = messages[1:] %}{% else %}"
        "{% set told = \"Today's Date: \" + strftime_now('%B %d, %Y') + '.\nYou are a stone.' %}"
        "{% set rest = messages %}"
        "{% endif %}{{ '<|start_of_role|>system<|end_of_role|>' + told + '<|end_of_text|>\n' }}{% for m in rest %}"
        "{{ '<|start_of_role|>' + m.role + '<|end_of_role|>' + m.content + '<|end_of_text|>\n' }}{% endfor %}"
        + HEADER
        + "{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}",
        ("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"),
        "<|end_of_text|>",
        says=("the date is written: 2024-07-26", "a system text of its own"),
        own="Today's Date: July 26, 2024.\nYou are a stone.",
    ),
    "angles, end after answers": Style(
        "{{ bos_token }}{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content }}{% if m.role == 'assistant' %}"
        "{{ eos_token }}{% endif %}{{ '\n' }}{% if loop.last and add_generation_prompt %}"
        "{{ '<|assistant|>\n' }}{% endif %}"
        "{% endfor %}",
    ),
    "no end of its own": Style(  # the next turn's mark is all that ends an answer
        "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content }}{% endfor %}"
        + HEADER
        + "{{ '<|assistant|>' }}{% endif %}",
        ("<|system|>", "<|user|>", "<|assistant|>"),
        "<|user|>",
    ),
    "correct user": Style(
        "{{ bos_token }}{% for m in messages %}"
        "{{ ('' if m.role == 'system' else 'GPT4 Correct ' + m.role.title() + ': ') "
        "+ m.content + '<|end_of_turn|>' }}{% endfor %}" + HEADER + "{{ 'GPT4 Correct Assistant:' }}{% endif %}",
        ("<|end_of_turn|>",),
        "<|end_of_turn|>",
    ),
    "channels, date": Style(
        "{{ '<|start|>system<|message|>The date is ' + strftime_now('%Y-%m-%d') + '<|end|>' }}{% for m in messages %}"
        "{% if m.role == 'assistant' %}{{ '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|end|>' }}"
        "{% else %}{{ '<|start|>' + ('developer' if m.role == 'system' else m.role) + '<|message|>' "
        "+ m.content + '<|end|>' }}"
        "{% endif %}{% endfor %}" + HEADER + "{{ '<|start|>assistant' }}{% endif %}",
        ("<|start|>", "<|end|>", "<|message|>", "<|channel|>"),
        "<|end|>",
        same=False,
        says=("differs from the header", "the date is written"),
    ),
    "parts": Style(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
        + PARTS
        + "{{ '<|im_end|>\n' }}{% endfor %}"
        + IM_HEADER,
        IM_TOKENS,
        "<|im_end|>",
        says=("in parts (assistant, system, user)",),
    ),
    "parts for users": Style(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'user' %}" + PARTS + "{% else %}"
        "{{ m.content + '' }}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}" + IM_HEADER,
        IM_TOKENS,
        "<|im_end|>",
        says=("in parts (user)",),
    ),
    "no header": Style(
        "{% for m in messages %}" + IM + "{% endfor %}",
        IM_TOKENS,
        "<|im_end|>",
        says=("no generation prompt",),
    ),
    "no header, transcript": Style(
        "{% for m in messages %}{{ m.role.upper() + ': ' + m.content + '\n' }}{% endfor %}",
        end=None,
        says=("no generation prompt",),
    ),
    "second system turn dropped": Style(
        "{% for m in messages %}{% if m.role != 'system' or loop.first %}" + IM + "{% endif %}{% endfor %}" + IM_HEADER,
        IM_TOKENS,
        "<|im_end|>",
        says=("one system turn", "system turns at the head alone"),
    ),
    "system turns passed over": Style(
        "{% for m in messages %}{% if m.role != 'system' %}" + IM + "{% endif %}{% endfor %}" + IM_HEADER,
        IM_TOKENS,
        "<|im_end|>",
        system=False,
        says=("no system role",),
    ),
    "last question alone": Style(
        "{{ 'Question: ' + messages[-1].content + '\nAnswer:' }}",
        end=None,
        system=False,
        history=False,
        says=("no system role", "turns alternate", "single questions alone"),
    ),
    "space after the header": Style(
        "{% for m in messages %}{{ '<|' + m.role + '|> ' + m.content + eos_token }}{% endfor %}"
        + HEADER
        + "{{ '<|assistant|> ' }}{% endif %}",
        ("<|system|>", "<|user|>", "<|assistant|>"),
    ),
    "several templates": Style(
        {"default": "{% for m in messages %}" + IM + "{% endfor %}" + IM_HEADER, "tool_use": "{{ tools }}"},
        IM_TOKENS,
        "<|im_end|>",
    ),
    "no template": Style(None, end=None, system=False, says=("no chat template",)),
    "users passed over": Style(
        "{% for m in messages %}{% if m.role == 'system' %}" + IM + "{% endif %}{% endfor %}" + IM_HEADER,
        IM_TOKENS,
        refused="loses the user's words",
    ),
    "capitals": Style(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content|upper + '<|im_end|>\n' }}{% endfor %}"
        + IM_HEADER,
        IM_TOKENS,
        refused="loses the user's words",
    ),
    "always raising": Style("{{ raise_exception('tools are needed') }}", refused="tools are needed"),
    "broken": Style("{% for m in messages %}{{ m.content }}", refused="TemplateSyntaxError"),
    "several, none default": Style(
        {"rag": "{{ messages }}", "tool_use": "{{ tools }}"}, refused="no default chat template"
    ),
}
SERVED = tuple(name for name, style in STYLES.items() if not style.refused)
