"""Arrays of numbers as values of redun, in a format of their own."""
