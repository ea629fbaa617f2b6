"""Savers: LangGraph's checkpoints in a database, flat in what a step costs and in what it stores."""
