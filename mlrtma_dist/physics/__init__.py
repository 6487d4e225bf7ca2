"""Equations of motion, stepped on tensors: they ask their neighbourhood for a rim, know nothing of ranks; moist air."""
