"""Texts as vectors: the sentence encoder, pretrained models, titles."""
