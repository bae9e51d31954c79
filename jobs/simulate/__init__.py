"""A simulated advertising world with planted truth: deterministic by seed, from a thousand events to a billion.

==============  ===============================================================================================
``world``       what the world is: its size, its calendar, its people, its catalogue; where chance comes from
``clicks``      the click model and the logging policy, as formulas
``visits``      when users come, and what they are shown
``behaviour``   what a group of users does on a day: searches, impressions, clicks, and what follows
``lines``       events as a collector writes them: JSON lines, and the words of the catalogue
``dirt``        what real logs have besides: duplicates, broken lines, robots; each with what has to become of it
``choices``     of each user, on a day, how probable a click on each item is
``truth``       what is true of impressions, sessions, users and items, as tables
``write``       one task: a day of a block of users, from chance to files
``tasks``       all tasks, in this process, in several, or on Spark
==============  ===============================================================================================

``python -m jobs.simulate --help``
"""
