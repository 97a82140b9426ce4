"""What needs attention, the worst first."""
