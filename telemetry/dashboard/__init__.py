"""The record as pages in the user's own browser: a process of its own that reads the store and never talks to a server.

Only this folder knows the web (Starlette, uvicorn); nothing else of `telemetry` imports it.
"""
