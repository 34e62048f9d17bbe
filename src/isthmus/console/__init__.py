"""What people look at: runs, exceptions, approvals, business events, catalogue."""
