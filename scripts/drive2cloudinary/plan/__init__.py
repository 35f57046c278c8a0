"""From what Drive has and what the results hold to what is to be uploaded, and under which name."""
