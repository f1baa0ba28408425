def openapi(title: str, *, positions: bool = False) -> dict[str, object]:
    return {"openapi": "3.1.0", "info": {"title": title, "version": "1"}, "paths": {}}
