"""The routes under `/api/v1`, a file for each noun."""

from fastapi import APIRouter

from segue.server.routes import agents, documents, evals, health, models, runs, schedules, threads, traces

ROUTERS: tuple[APIRouter, ...] = (
    agents.router,
    threads.router,
    runs.router,
    traces.router,
    schedules.router,
    documents.router,
    evals.router,
    models.router,
    health.router,
)
