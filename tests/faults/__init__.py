"""Each promise of the README as a test with its fault injected."""
