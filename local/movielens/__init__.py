"""MovieLens 100K as a landing zone with planted defects: ``python -m local.movielens``."""
