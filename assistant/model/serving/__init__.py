"""One engine, several servers: who is connected, whose request is next, and what happens while nobody asks."""
