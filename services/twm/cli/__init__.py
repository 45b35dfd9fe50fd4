"""The `twm` command."""
