"""What a user sees while ``redun run`` goes on, and at its end."""
