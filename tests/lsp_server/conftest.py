"""Fixtures of several of this folder's tests."""

from tests.lsp_server.windows import checkpoint, folder, two

__all__ = ["checkpoint", "folder", "two"]
