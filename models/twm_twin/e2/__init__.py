"""E2 emulator: the network's side of the E2 interface."""
