"""Which deployment of a model a request goes to.

In: what the router knows of each deployment, and what is asked. Out: the one it goes to, and the words for why.
Nothing here waits, sends or reads a clock: the time is handed in, so that the very code that places requests in
production is the code that a simulation runs.
"""
