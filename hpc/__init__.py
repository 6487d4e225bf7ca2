"""What happens outside the Python process: queues, machines, chains of jobs."""
