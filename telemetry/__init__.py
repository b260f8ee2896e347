"""The event store: what was offered, shown and done with it, on this machine only.

It holds numbers and keyed hashes, never text or names. Imports nothing of ours and never the network; `lsp_server.app`
hands it values.
"""
