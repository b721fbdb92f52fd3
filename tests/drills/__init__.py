"""What the service is promised to survive, done to it: bounded, on this machine alone."""
