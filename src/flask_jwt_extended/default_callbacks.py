"""4.7's default callbacks, for applications that call them from their own loaders."""
