"""From samples to weights: the loop, the engine that drives DeepSpeed, the schedule, the average."""
