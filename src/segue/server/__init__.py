"""Agents over HTTP: runs, threads and their events under `/api/v1`, and OpenAI's face of them under `/v1`."""

from segue.server.app import app

__all__ = ["app"]
