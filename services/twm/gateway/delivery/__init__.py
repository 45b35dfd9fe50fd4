"""Delivery of policies to RICs over A1: what the policy stream wants, kept true at the other side. Off by default."""
