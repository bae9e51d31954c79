"""Top-k search for many users: Clickwright, plain PyTorch, implicit and faiss on the same trained vectors."""
