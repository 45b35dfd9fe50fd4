"""twm_twin"""
