"""The applications of the course."""
