"""Go's debug call protocol: its state machine, frames and values, and the driver that runs it."""
