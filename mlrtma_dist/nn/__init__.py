"""Networks and layers: tensors in, tensors out; of ranks they know nothing."""
