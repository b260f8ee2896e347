"""Training of Sotto's own model: corpus, tokenizer, pretraining, exit controller, export, evaluation.

Needs torch, numpy, tokenizers and safetensors only. Knows nothing of editors, the server or the engine.
"""
