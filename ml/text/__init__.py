"""Text: the sentence encoder, pretrained models, titles."""
