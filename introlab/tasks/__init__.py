"""What models are asked: questions with checkable answers, topics, wordings. Data alone: no torch."""
