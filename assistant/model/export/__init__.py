"""The model in other programs' formats, and the proof that they compute the same. Run as ``python -m assistant.model.export``.

Knows checkpoints, transformers' folders and GGUF files. Knows nothing of training, editors or the engine.
"""
