"""Arrays, data frames and tables as values of workflows."""
