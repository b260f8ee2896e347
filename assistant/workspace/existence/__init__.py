"""Does what a suggestion names exist? In the file, in the workspace, in the user's Python environment: read, never imported."""
