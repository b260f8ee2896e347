"""Names that cannot exist in JavaScript and TypeScript: bare names, members that are known, imports of files of the project."""
