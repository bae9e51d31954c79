"""The sequential transformer: recommender, network, sequences, loss, trainer."""
