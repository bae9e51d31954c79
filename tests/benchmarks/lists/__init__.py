"""The best of many items for many users: Clickwright, plain PyTorch, implicit and faiss on one set of trained vectors."""
