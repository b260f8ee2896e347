"""Inline completion: from a snapshot to a prompt, and from the model's text to a suggestion that fits the buffer."""
