"""Writing: edits of the residual stream, their strengths, and what they do. Nothing here fits a probe."""
