# SPDX-License-Identifier: PostgreSQL
"""Chromium without a screen, driven by chromedriver over WebDriver's HTTP."""

import base64
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request

from base import wait_for

# Local requests go to nobody's proxy.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def is_there():
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


class Browser:
    """One window; a context manager. Errors of WebDriver are RuntimeErrors."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._base = f"http://127.0.0.1:{port}"
        self._profile = tempfile.mkdtemp(prefix="mt-browser-")
        with open(os.path.join(self._profile, "log"), "wb") as log:
            self._driver = subprocess.Popen(
                ["chromedriver", f"--port={port}"], stdout=log, stderr=log)
        self._session = None

    def __enter__(self):
        try:
            wait_for(self._is_ready, 30, "chromedriver")
            arguments = ["--headless=new", "--disable-gpu",
                         "--disable-dev-shm-usage", "--no-first-run",
                         "--window-size=1280,900",
                         f"--user-data-dir={self._profile}/profile"]
            if os.geteuid() == 0:
                arguments.append("--no-sandbox")
            answer = self._ask("POST", "/session", {"capabilities": {
                "alwaysMatch": {
                    "browserName": "chrome",
                    "goog:loggingPrefs": {"browser": "ALL"},
                    "goog:chromeOptions": {
                        "binary": shutil.which("chromium"),
                        "args": arguments}}}})
            self._session = f"/session/{answer['sessionId']}"
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    def close(self):
        try:
            if self._session is not None:
                self._ask("DELETE", self._session)
        finally:
            self._driver.terminate()
            self._driver.wait(20)
            shutil.rmtree(self._profile, ignore_errors=True)

    def _ask(self, method, path, body=None):
        request = urllib.request.Request(
            self._base + path, method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json"})
        try:
            with _opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from None

    def _is_ready(self):
        try:
            return self._ask("GET", "/status")["ready"]
        except OSError:
            return False

    def _command(self, method, path, body=None):
        return self._ask(method, self._session + path, body)

    def open(self, url):
        self._command("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """What a function body returns."""
        return self._command("POST", "/execute/sync", {
            "script": script, "args": list(arguments)})

    def text(self, selector):
        """What people see of the first such element; "" if there is none."""
        return self.run("return document.querySelector(arguments[0])"
                        "?.innerText ?? ''", selector)

    def console(self):
        """Lines since the last call, as (level, text)."""
        return [(line["level"], line["message"]) for line in
                self._command("POST", "/se/log", {"type": "browser"})]

    def devtools(self, command, **parameters):
        return self._command("POST", "/goog/cdp/execute", {
            "cmd": command, "params": parameters})

    def wear(self, scheme, width=1280, height=900, mobile=False):
        """Light or dark, and a window's size."""
        self.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])
        self.devtools("Emulation.setDeviceMetricsOverride", width=width,
                      height=height, mobile=mobile,
                      deviceScaleFactor=2 if mobile else 1)

    def shoot(self, path):
        """The whole page as a PNG."""
        shot = self.devtools("Page.captureScreenshot", format="png",
                             captureBeyondViewport=True)
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))
