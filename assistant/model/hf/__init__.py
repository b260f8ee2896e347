"""Any causal language model that transformers loads, behind the interface of `assistant.model.engine.Engine`.

Importing this package, or its modules `files`, `engine` and `tokenizer`, loads neither torch nor transformers.
"""
