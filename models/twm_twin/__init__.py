"""The digital twin: simulator, Gymnasium environments, verification service, E2 emulator (in `e2`)."""
