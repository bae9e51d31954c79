"""What the workflows share: assets, defaults, the two operators, and the groups that build, audit and
publish."""
