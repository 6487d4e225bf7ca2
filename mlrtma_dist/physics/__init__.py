"""Equations of motion as steps of tensors; they ask their neighbourhood for a rim and know nothing of ranks."""
