"""What analysts did in MISP: what changed, what an event says now, and what that means."""
