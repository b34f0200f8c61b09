"""Where in a text confidence is read."""

PLACES = ("prompt_end", "before_answer", "answer", "after")
"""The question's last token, the token that predicts the answer, the answer's last token, the text's last token."""


NO_ANSWER = "(no answer)"
