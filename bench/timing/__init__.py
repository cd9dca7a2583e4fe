"""The parts of the benchmark: what is timed, in which environments, in which order, and how it is shown."""
