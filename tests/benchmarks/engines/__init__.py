"""The engines: each is a separate program that needs only its own libraries."""
