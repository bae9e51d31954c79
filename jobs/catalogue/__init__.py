"""The catalogue of items: its deliveries, and how they become one row for each item."""
