"""Who competes in TelecomWorldBench: a module for each way to decide, listed in `catalogue`."""
