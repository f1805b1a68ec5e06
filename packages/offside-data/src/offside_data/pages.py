"""Pages of one HTML file that needs nothing else: contact sheets, lists with pictures."""

from __future__ import annotations

from html import escape

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #1d1d1f; }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.05rem; margin: 2rem 0 .5rem; }} p {{ margin: .3rem 0; }}
.frame {{ height: 164px; display: flex; align-items: center; justify-content: center; background: #f5f5f7; }}
{style}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""
PAGE_BEGIN = _PAGE.partition("<title>")[0]
"""By its first lines, a page is known for one of ours."""


def page(title: str, body: str, style: str = "") -> str:
    """The page's HTML.

    Args:
        title: Plain text.
        body: HTML, everything foreign in it escaped.
        style: Further CSS.
    """
    return _PAGE.format(title=escape(title), body=body, style=style.strip())
