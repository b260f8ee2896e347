"""What Sotto knows of the files around the cursor: syntax, and what must stay out of sight."""
