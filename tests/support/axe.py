"""axe-core in a page of the tests: what it finds serious or critical."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coursekit.webgpu import npm
from tests.conftest import CACHE

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = npm.Package(
    name="axe-core",
    version="4.14.1",
    integrity="sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    size=708_405,
    files=("axe.min.js", "LICENSE", "LICENSE-3RD-PARTY.txt"),
)


def serious(page: Page) -> list[str]:
    """Each serious or critical finding, as `rule: the elements`; WCAG 2 A and AA and the best practices."""
    page.evaluate((npm.install(AXE, CACHE) / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{each['id']}: {'; '.join(str(node['target']) for node in each['nodes'])}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
