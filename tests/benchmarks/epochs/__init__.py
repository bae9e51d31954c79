"""What an epoch of training costs beside RecBole's SASRec: ``make bench-epochs SEQUENCES=file``. Measured by hand.

Equal on both sides: the data (each user's last two items left out), width 64, 2 layers, 2 heads, length 50, dropout 0.3, the
loss (cross-entropy over all items), the threads, and about how many labels there are to a step of the optimiser. An epoch is
every label once. They differ in what a label costs: RecBole makes of every beginning of a history a row of its own, padded to
the full length; here a history is one row with all its labels, in a batch of like lengths. A history's first item is a label
only here.
"""
