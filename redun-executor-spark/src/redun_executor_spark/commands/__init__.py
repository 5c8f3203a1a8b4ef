"""The command of the Spark executor."""
