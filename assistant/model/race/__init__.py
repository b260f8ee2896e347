"""Our runtime against other ones on the same machine: same weights, same prompts, interleaved."""
