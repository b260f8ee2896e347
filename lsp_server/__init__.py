"""The language server: the only package that knows LSP. Importing it loads no torch; the model has a process of its own."""

__version__ = "0.1.0"
