"""What is kept of a person, handed out or forgotten: `models` · `queries` · `service`."""
