"""The examples, used as their clients would."""
