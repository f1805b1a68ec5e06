"""A headless Chromium that tests drive over its debugging pipe: visit, click, type, look."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def browser() -> str | None:
    """The browser of this machine, if there is one."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


class Chromium:
    """One window.

    Args:
        folder: For its profile.
        width, height: In pixels.
    """

    def __init__(self, folder: Path, width: int = 1280, height: int = 1000) -> None:
        program = browser()
        assert program is not None
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()

        def connect() -> None:  # The browser reads at 3 and writes at 4.
            a, b = os.dup(to_read), os.dup(to_write)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self._log = (folder / "chromium.log").open("w")
        self._process = subprocess.Popen(
            [
                program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--disable-component-update", "--disable-background-networking", "--disable-sync", "--hide-scrollbars",
                f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}", "--remote-debugging-pipe",
            ],
            preexec_fn=connect, close_fds=False, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        self._number, self._rest = 0, b""
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Page.enable")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        os.close(self._to)
        os.close(self._from)
        self._log.close()

    def set_cookie(self, url: str, name: str, value: str) -> None:
        self._call("Network.setCookie", url=url, name=name, value=value)

    def visit(self, url: str) -> None:
        self._call("Page.navigate", url=url)

    def look(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        told = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 240) -> Any:
        """The value of an expression, once there is one."""
        seen, value = self._seen(expression, seconds)
        assert seen, f"not seen within {seconds} s: {expression}\n{self.look('document.body.innerText')}"
        return value

    def _seen(self, expression: str, seconds: float) -> tuple[bool, Any]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            plain = f"(v => v instanceof Node ? true : v)({expression})"
            value = self.look(f"(() => {{ try {{ return {plain} }} catch (error) {{ return null }} }})()")
            if value:
                return True, value
            time.sleep(0.3)
        return False, None

    def click(self, expression: str) -> None:
        """Click on the middle of an element, as a person would: once it can be seen and nothing lies over it."""
        place = """(e => {
            e.scrollIntoView({block: 'center'});
            const r = e.getBoundingClientRect(), at = [r.x + r.width / 2, r.y + r.height / 2];
            return e.contains(document.elementFromPoint(...at)) ? at : null;
        })"""
        x, y = self.wait_for(f"{place}({expression})")
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def click_until(self, expression: str, wanted: str) -> None:
        """Click on an element until something is so: a page that is still at work loses clicks."""
        for _ in range(4):
            self.click(expression)
            if self._seen(wanted, 20)[0]:
                return
        self.wait_for(wanted)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self._call("Input.insertText", text=text)

    def press_enter(self) -> None:
        for kind in ("keyDown", "keyUp"):
            key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
            self._call("Input.dispatchKeyEvent", type=kind, **key)

    def picture(self, file: Path) -> None:
        """Keep what is to be seen as a PNG."""
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def _call(self, method: str, **params: Any) -> Any:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                piece = os.read(self._from, 1 << 20)
                assert piece, "the browser is gone"
                self._rest += piece
            line, _, self._rest = self._rest.partition(b"\0")
            told = json.loads(line)
            if told.get("id") == self._number:
                assert "error" not in told, told
                return told["result"]
