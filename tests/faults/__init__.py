"""Faults: kills, a lost catalog, a full disk, concurrent writers, and real PostgreSQL and object-store servers."""
