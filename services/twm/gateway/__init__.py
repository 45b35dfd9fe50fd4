"""Guardrails, A1 policies, audit trail and the operator REST API."""
