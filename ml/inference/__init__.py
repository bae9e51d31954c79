"""Batch inference, one module per step: user histories, eligible items, the lists of a shard, the shards of a run."""
