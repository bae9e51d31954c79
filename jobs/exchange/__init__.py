"""The exchange: distribute work to Spark's tasks, bring rows together by key, and write files."""
