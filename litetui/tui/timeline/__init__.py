"""The timeline: its model, its picture, and its place in the browser."""
