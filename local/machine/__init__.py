"""What an installation needs of its machine, and what it leaves there."""
