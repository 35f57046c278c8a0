"""What a run says on the terminal: its preview, its progress, and its summary."""
