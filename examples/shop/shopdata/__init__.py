"""The parts that make the example shop's rows, each from the rows made before it."""
