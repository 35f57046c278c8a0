"""HTTP for both services: proxies, certificates, timeouts, and the limits that all processes share."""
