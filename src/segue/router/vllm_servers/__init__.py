"""What Segue knows of vLLM servers: their figures, their commands, whether they are set up for agents, where they are.

In: a server's address or a model's name. Out: metrics, whether an engine hangs, the command that serves a model, and
findings about a server that runs. Each is asked for by whoever wants it; nothing here runs by itself.
"""
