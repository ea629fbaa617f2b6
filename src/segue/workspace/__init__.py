"""The composition root: reads settings, fills the ports, owns connections, starts runs."""

from segue.workspace.run import Run, RunHandle
from segue.workspace.settings import WorkspaceSettings
from segue.workspace.workspace import Workspace

__all__ = ["Run", "RunHandle", "Workspace", "WorkspaceSettings"]
