"""What people look at: the day, runs, exceptions, approvals, the landscape, the catalogue, the audit."""
