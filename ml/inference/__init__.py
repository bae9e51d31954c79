"""Batch inference, a step a module: what users did, what is offered, a shard's lists, and the shards of a run."""
