"""What text from outside may reach a language model: instructions hidden in alarms and intents are found and held back."""
