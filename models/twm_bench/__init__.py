"""twm_bench"""
