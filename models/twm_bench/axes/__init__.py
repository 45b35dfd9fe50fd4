"""What TelecomWorldBench measures of the models themselves: field, trajectory and speed (the decision axis plays the closed loop)."""
