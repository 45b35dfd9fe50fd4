"""The RIC's shared data layer (SDL, on Redis): RAN inventory and, where somebody keeps one, the UE-to-slice map."""
