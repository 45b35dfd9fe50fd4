"""What TelecomWorldBench measures of the models themselves: field, trajectory, speed. The decision axis plays the closed loop."""
