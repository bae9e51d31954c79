"""Spark sessions: Java, the Spark home, and distribution of work to tasks."""
