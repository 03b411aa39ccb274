"""The revisions of the schema, oldest first. A published one is never changed."""
