"""Rows dealt to Spark's tasks and brought together by key; what a task writes."""
