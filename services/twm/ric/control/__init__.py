"""E2 control: policies to be enforced, as control requests to E2 nodes. Off by default."""
