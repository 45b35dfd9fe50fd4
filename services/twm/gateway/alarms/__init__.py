"""Alarms of network elements: taken in, screened, shown to people whole and to language models in the words they may see."""
