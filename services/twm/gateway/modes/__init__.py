"""How far policies go by themselves: modes, approvals, kill switch, rollback."""
