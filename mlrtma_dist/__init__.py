"""ML-RTMA: a machine-learning mesoscale analysis that runs as a distributed batch system."""

__version__ = "0.1.0"
