"""AWS Batch as an executor of redun."""
