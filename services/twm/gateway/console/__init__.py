"""The operator console: a page, its read views, its live stream. What it changes goes through the gateway's other routes."""
