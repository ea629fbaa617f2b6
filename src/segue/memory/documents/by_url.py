"""An index by its URL, and the settings section that names one: `[documents]`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import AfterValidator, BaseModel, ConfigDict

from segue.base.errors import ConfigError
from segue.router.secrets import check_reference, is_reference, resolve

if TYPE_CHECKING:
    from segue.memory.documents.index import Index

KNOWN = "a path, sqlite:///PATH, postgresql://…, weaviate://host:8080?grpc=50051, or weaviates://… for TLS"


def open_index(place: Path | str, *, key: str = "") -> Index:
    """The index at a path or URL; it connects when first used.

    Args:
        place: A path, `sqlite:///PATH`, `postgresql://…`, `weaviate://…` or `weaviates://…`.
        key: PostgreSQL's password or Weaviate's API key, where the URL holds none.

    Raises:
        ConfigError: The URL is none of these, or what speaks to the server is not installed.
    """
    text = str(place)
    scheme, found, rest = text.partition("://")
    if isinstance(place, Path) or not found:
        return _sqlite(place)
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return _sqlite(rest[1:])
    if scheme in ("postgresql", "postgres"):
        from segue.memory.documents.postgres_index import PostgresIndex

        return PostgresIndex(_with_password(text, key))
    if scheme in ("weaviate", "weaviates"):
        from segue.memory.documents.weaviate_index import WeaviateIndex

        return WeaviateIndex(text, api_key=key)
    raise ConfigError(f"documents lie at {KNOWN}; this place begins with {scheme!r}://")


def _sqlite(place: Path | str) -> Index:
    from segue.memory.documents.sqlite import SqliteIndex

    return SqliteIndex(place)


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    if not password or parts.password is not None:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user or 'postgres'}:{quote(password, safe='')}@{host}"))


def _url(value: str) -> str:
    if value and not is_reference(value):
        if value.partition("://")[0] not in ("sqlite", "postgresql", "postgres", "weaviate", "weaviates"):
            raise ValueError(f"documents lie at {KNOWN.removeprefix('a path, ')}, or where env:NAME or file:PATH says")
        if urlsplit(value).password:
            raise ValueError("a password must not stand in the settings itself; give it apart, as key = 'env:NAME'")
    return value


def _key(value: str) -> str:
    return check_reference(value) if value else value


class DocumentsSection(BaseModel):
    """`[documents]`: where documents are kept that name no index of their own."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_url)] = ""
    """A URL, or a reference to one; empty for `database_url`, and without that for `.segue/documents.db`."""
    key: Annotated[str, AfterValidator(_key)] = ""
    """A reference to PostgreSQL's password or Weaviate's API key; empty for none."""

    def open(self, environ: Mapping[str, str], folder: Path, *, otherwise: str = "") -> Index | None:
        """The index; where no URL is set, the one at `otherwise`, or `None`.

        Raises:
            ConfigError: A reference leads nowhere, or the URL is none.
        """
        if not self.url:
            return open_index(otherwise) if otherwise else None
        url = resolve(self.url, environ, wanted_by="[documents] url") if is_reference(self.url) else self.url
        key = resolve(self.key, environ, wanted_by="[documents] key") if self.key else ""
        try:
            if url.startswith("sqlite:///"):
                return open_index(folder / url.removeprefix("sqlite:///"))
            return open_index(url, key=key)
        except ConfigError as error:
            raise ConfigError(f"[documents] url: {error.message}", way_out=error.way_out) from None
