"""What `twm doctor` looks at: checks that read, never write to a peer, have a deadline, and say it in plain words."""
