"""Spark sessions: Java, a home to start from, work dealt to tasks."""
