"""The engine over HTTP, for when platform plugins and inference live apart.

``ttpscribe serve`` starts it; `engine.service.client` asks it, and needs nothing of what the
server needs.
"""
