"""The CDWM recipe on recorded experiments of real base stations: EXPLORA (with actions), TRACTOR (without), and frames."""
