"""Where in a text confidence is read."""

from experiments.shared.condition_families import ConditionFamily

AUROC_OF = ConditionFamily("auroc of", " ")
PRIMARY = "difficulty-stratified auroc of probed_before_answer"
"""Pooled over difficulty, embeddings of the words and an untrained network pass, too."""
"""Measures, by the reading whose AUROC they are."""

PLACES = ("prompt_end", "before_answer", "answer", "after")
"""The question's last token, the token that predicts the answer, the answer's last token, the text's last token."""


NO_ANSWER = "(no answer)"


STATED = {
    "stated_after": "says, after answering",
    "stated_before": "says, before answering",
    "p_true": "P(True)",
    "p_true_with_samples": "P(True), shown own samples",
}


TOKENS = {
    "token_probability": "probability of its answer",
    "margin": "lead over the next best",
    "minus_entropy": "minus the entropy there",
    "mean_logprob": "mean log-probability (perplexity)",
    "self_consistency": "samples that agree",
    "minus_semantic_entropy": "minus semantic entropy",
    "lens_agreement": "layers that agree (logit lens)",
    "familiarity": "question's log-probability",
}


PROBED = {"p_ik": "P(IK): probe for share right, end of prompt"} | {
    f"probed_{place}": f"probe, {place.replace('_', ' ')}" for place in PLACES
}


SIGNALS = {**STATED, **TOKENS, **PROBED}


PROBABILITIES = (*STATED, "token_probability", *PROBED)
"""Signals that claim to be the probability of being right."""


BASELINES = {
    "text_only": "words of the question",
    "length": "length of the question",
    "position": "position of the answer",
    "embedding": "embeddings of the question",
    "untrained_network": "probe of an untrained network",
}


FORMER_READINGS = {"token_confidence": "token_probability", "probed_confidence": "probed_before_answer"}
"""As confidence_readout called them, whose runs are analysed here, too."""


AGREEMENT = ("stated_before", "token_probability", "probed_before_answer")
"""What is set beside what is said after answering."""


MAIN = "probed_before_answer"


FRESH = "probed_fresh_kind"
"""The probe before the answer, fitted without this question's kind; wordings of the test are always fresh."""


COVERAGE = 0.8
