"""The ground floor: plain data and ports that every other room stands on.

Here live errors, ids, messages, labels, principals, budgets, usage and the ports for clock, randomness and
notification. Nothing here imports another room, opens a connection or knows LangGraph.
"""
