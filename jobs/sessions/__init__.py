"""Sessions: the rules, the look-back of a day, and the sessions that close on it."""
