"""The results of a run: the mapping, the orphans, the report page, and the verification of the URLs."""
