"""The pages hold together: links lead somewhere, and what people can name is explained somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from tests.docs.pages import DOCS, ROOT, anchors, links, name_of, pages

import segue
from segue.base import errors
from segue.guards.settings import GuardsSection
from segue.memory.documents.by_url import DocumentsSection
from segue.router import errors as endpoint_errors
from segue.router.settings import DeploymentSettings, PriceSettings, RouteSettings
from segue.tools import Tool
from segue.tracing.alerts import AlertSection
from segue.tracing.settings import (
    LangfuseSection,
    OtlpSection,
    RedactionSection,
    TenantTracingSection,
    TracingSection,
)
from segue.workspace.sections import JobsSection, ServerSection
from segue.workspace.settings import RouterSection, WorkspaceSettings
from segue.workspace.watching import AuditSection, EmailSection, LoggingSection, NotifySection, WebhookSection


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


def test_every_page_is_reached_from_the_index() -> None:
    seen, left = set[Path](), [DOCS / "index.md"]
    while left:
        page = left.pop()
        if page not in seen and page.suffix == ".md" and page.is_file():
            seen.add(page)
            left += [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]

    assert sorted(name_of(page) for page in DOCS.rglob("*.md") if page.resolve() not in seen) == []


def test_every_public_name_is_explained_in_the_docs() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))

    assert [name for name in segue.__all__ if not re.search(rf"\b{re.escape(name)}\b", text)] == []


@pytest.mark.parametrize(
    "section",
    [
        WorkspaceSettings,
        RouterSection,
        TracingSection,
        OtlpSection,
        LangfuseSection,
        RedactionSection,
        DeploymentSettings,
        RouteSettings,
        PriceSettings,
        AuditSection,
        NotifySection,
        WebhookSection,
        EmailSection,
        LoggingSection,
        GuardsSection,
        JobsSection,
        ServerSection,
        DocumentsSection,
        AlertSection,
        TenantTracingSection,
    ],
    ids=lambda section: section.__name__,
)
def test_every_setting_stands_on_the_settings_page(section: type[BaseModel]) -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8")

    assert [name for name in section.model_fields if f"`{name}`" not in text] == []


@pytest.mark.parametrize("module", [errors, endpoint_errors], ids=["errors", "endpoint errors"])
def test_every_error_stands_on_the_errors_page(module: object) -> None:
    text = (DOCS / "errors.md").read_text(encoding="utf-8")
    raised = [
        name for name, held in vars(module).items() if isinstance(held, type) and issubclass(held, errors.SegueError)
    ]

    assert [name for name in raised if not re.search(rf"\b{name}\b", text)] == []


def test_every_option_of_a_tool_stands_on_the_tools_page() -> None:
    text = (DOCS / "tools.md").read_text(encoding="utf-8")
    own = {"fn", "parameters", "arguments", "takes_ctx", "of"}

    assert [name for name in Tool.__dataclass_fields__ if name not in own and f"`{name}`" not in text] == []


def test_nothing_in_the_docs_names_a_path_of_one_machine() -> None:
    found = [
        name_of(page)
        for page in pages()
        if re.search(r"(?<![\w.])/(home|root|work|Users)/", page.read_text(encoding="utf-8"))
    ]

    assert found == []


def test_the_index_lists_every_notebook() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")

    assert [path.name for path in (ROOT / "notebooks").glob("*.ipynb") if path.name not in text] == []
