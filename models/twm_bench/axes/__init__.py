"""What TelecomWorldBench measures of the models themselves: field, trajectory, speed. The decision axis is the closed loop."""
