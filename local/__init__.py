"""The stack on one machine: its services, the demonstration data and the demonstration itself."""
