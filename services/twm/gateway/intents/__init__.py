"""Intents: words or a structured intent in, an IntentSpec or precise questions out. See README.md here."""
