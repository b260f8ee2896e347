"""Product logic on plain values: completion, and the rooms that grow beside it. No LSP, no torch, no HTTP server.

The model lives in `assistant.model`, which the rest of this package never imports: it is reached through the
`TextModel` protocol of `assistant.types`, whose real implementation talks to the engine process.
"""
