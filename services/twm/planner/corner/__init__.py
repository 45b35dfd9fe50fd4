"""Corner cases: signs that a plan may be worse than its score says, templates to try then, and a prescreen of candidates."""
