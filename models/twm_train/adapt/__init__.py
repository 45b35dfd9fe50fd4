"""Fine-tuning on recorded frames: the served graphs themselves are tuned, so that no checkpoint of the training is needed."""
