"""The openai package as a transport: for endpoints that want what our own wire does not do, such as Azure's."""
