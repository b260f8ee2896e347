"""Whether a suggestion is worth the user's glance."""
