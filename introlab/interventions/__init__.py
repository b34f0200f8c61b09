"""Acting on the residual stream while a model runs, and proof of it. Kinds of edits are in `steering`."""
