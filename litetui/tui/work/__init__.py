"""What the session does to a replica: its jobs, their plans, rows, logs and words."""
