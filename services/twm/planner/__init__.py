"""Plans slice shares in the world model and has them verified in the twin."""
