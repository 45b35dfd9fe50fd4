"""Explanations of verdicts: numbers first, text second, and no number in a text that is not in the numbers."""
