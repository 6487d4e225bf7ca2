"""Diffusion: samplers of a prior that a denoiser stands for, and of its posterior given observations."""
