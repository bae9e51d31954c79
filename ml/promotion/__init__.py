"""From evidence to promotion: conditions, checks of the gate, report."""
