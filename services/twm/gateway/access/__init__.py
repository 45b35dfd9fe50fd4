"""Who may ask the gateway for what: principals, roles, tokens, rate limits.

A route says `Depends(require(VIEWER))`; `app.state.access` holds the Access that answers. Without one every request is refused.
"""

from __future__ import annotations

from twm.gateway.access.gate import Access, FixedPrincipal, require
from twm.gateway.access.principal import APPROVER, OPERATOR, VIEWER, Principal, Role

__all__ = ["APPROVER", "OPERATOR", "VIEWER", "Access", "FixedPrincipal", "Principal", "Role", "require"]
