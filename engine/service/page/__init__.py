"""The web page of the service: paste or drop a report, see it annotated."""

from engine.service.page.router import router

__all__ = ["router"]
