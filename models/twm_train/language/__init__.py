"""A LoRA adapter for a small offline language model: corpus from the spec's grammar, training, GGUF."""
