"""twm_train"""
