"""Equations of motion as steps of tensors, which ask their neighbourhood for a rim and know nothing of ranks; moist air."""
