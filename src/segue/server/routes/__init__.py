"""The routes under `/api/v1`, a file for each noun."""

from fastapi import APIRouter

from segue.server.routes import agents, documents, health, runs, schedules, threads, traces

ROUTERS: tuple[APIRouter, ...] = (
    agents.router,
    threads.router,
    runs.router,
    traces.router,
    schedules.router,
    documents.router,
    health.router,
)
