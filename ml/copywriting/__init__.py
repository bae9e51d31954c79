"""Ad copy: facts, lexicon, language model, guided decoding, guards, template."""
