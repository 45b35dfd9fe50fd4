"""RICs to test against: an A1 simulator that can be made to fail, and the reconciliation bench."""
