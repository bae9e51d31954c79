"""The cost of a training epoch compared with RecBole's SASRec: ``make bench-epochs SEQUENCES=file``. Run by hand.

Both sides have the same data (without each user's last two items), width 64, 2 layers, 2 heads, length 50, dropout 0.3, loss
(cross-entropy over all items), threads, and about the same number of labels per optimiser step. An epoch covers every label
once. They differ in the cost of a label: RecBole makes each prefix of a history a separate row, padded to the full length. Here
a history is one row with all its labels, in a batch of similar lengths. The first item of a history is a label only here.
"""
