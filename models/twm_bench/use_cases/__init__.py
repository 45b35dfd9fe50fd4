"""The use cases of "Telecom World Models", Sections VI, IX-B and IX-C, from one sentence each: real gateway, planner, models
and twin in one process, against a twin that plays the network."""
