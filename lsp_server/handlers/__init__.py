"""What each message means: a handler translates, calls, and translates back. The table that names them is in `server`."""
