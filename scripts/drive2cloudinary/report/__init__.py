"""What came of it: the mapping, the orphans, the page, and the verification of the URLs."""
