"""HTTP as both services are called: proxies, certificates, time limits, and the limits that all processes share."""
