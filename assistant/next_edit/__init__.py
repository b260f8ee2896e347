"""Next-edit prediction: from what the user has just changed to the next change, its place and its text."""
