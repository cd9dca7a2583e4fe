"""What helps to test an application, or a store of sessions, that uses this extension."""
