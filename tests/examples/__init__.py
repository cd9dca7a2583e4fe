"""The examples, in use by clients."""
