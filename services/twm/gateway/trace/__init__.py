"""The planning trace of each decision in the audit log, and what it takes to repeat the decision from it."""
