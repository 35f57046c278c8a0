"""The measurements that docs/performance.md and docs/clusters.md quote."""
