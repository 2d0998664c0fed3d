"""The embedded stack: real servers for one machine, and the demo source systems."""
