"""A simulated advertising world with planted truth: deterministic by seed, from a thousand events to a billion.

=======================  ======================================================================================
``world``                the world: its size, calendar, users, catalogue and random streams
``vocabulary``           the words of the catalogue, queries and comments
``clicks``               the click model and the logging policy, as formulas
``visits``               when users come, and which items are shown to them
``behaviour``            a day of a group of users: searches, impressions, clicks, and the events after clicks
``lines``                events as a collector writes them: JSON Lines, and the texts of the catalogue
``defects``              duplicates, broken lines and bots, as in real logs; each with its expected outcome
``click_probabilities``  how probable a click on each item is, by user and day
``truth``                the truth about impressions, sessions, users and items, as tables
``task``                 one task: a day of a block of users, from random numbers to files
``runner``               all tasks, in this process, in several, or on Spark
=======================  ======================================================================================

``python -m jobs.simulate --help``
"""
