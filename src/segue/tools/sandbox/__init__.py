"""Sandbox: code in, its output and a JSON value out, and nothing of this machine within its reach."""
