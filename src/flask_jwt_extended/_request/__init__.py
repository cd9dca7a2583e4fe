"""From a request to a verified token, and to the answer of a refusal."""
