"""The composition root: reads settings, fills the ports, owns connections, starts runs."""

from segue.agents.run import Run
from segue.workspace.run import RunHandle
from segue.workspace.settings import WorkspaceSettings
from segue.workspace.workspace import Workspace

__all__ = ["Run", "RunHandle", "Workspace", "WorkspaceSettings"]
