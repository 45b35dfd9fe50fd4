"""Tools for agents: questions to the network's state, the world model and the twin. None of them writes a policy."""
