# SPDX-License-Identifier: PostgreSQL
"""Is an answer what daemon/api/openapi.json says?

Each answer to a POST, PATCH, PUT or DELETE of any test is held against it by
node.py; tests hold the answers to GET, HEAD and OPTIONS against it on nodes in
many states.
"""

import functools
import json
import re
import urllib.parse

import jsonschema

from base import TOP

READING = ("GET", "HEAD", "OPTIONS")


class Description:
    """An OpenAPI document, as far as ours makes use of it."""

    def __init__(self, document):
        self.document = document
        self._resolver = jsonschema.RefResolver("", document)

    def _resolved(self, value):
        while "$ref" in value:
            value = self._resolver.resolve(value["$ref"])[1]
        return value

    def _valid(self, schema, value, what):
        checker = jsonschema.Draft202012Validator(
            schema, resolver=self._resolver)
        errors = [f"{error.json_path}: {error.message}"
                  for error in checker.iter_errors(value)]
        assert not errors, f"{what}: {errors} in {value}"

    def item(self, path):
        """The path's item, or None: no such path is described."""
        for template, item in self.document["paths"].items():
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, path):
                return self._resolved(item)
        return None

    def check(self, method, target, answer, body=None):
        """AssertionError unless the answer is a described one."""
        what = f"{method} {target}: {answer.status}"
        path = "/" + urllib.parse.urlsplit(target).path.lstrip("/")
        operation = (self.item(path) or {}).get(method.lower())
        if operation is None:
            assert answer.status == (503 if method in READING else 501), (
                f"{what}, and it is not described")
            return
        responses = operation["responses"]
        assert str(answer.status) in responses, (
            f"{what} is not described: {answer.text}")
        self._check_answer(method, what, answer,
                           self._resolved(responses[str(answer.status)]))
        if "requestBody" in operation and answer.status < 300:
            (media,) = operation["requestBody"]["content"].values()
            self._valid(media["schema"], json.loads(body),
                        f"the body of {what}")

    def _check_answer(self, method, what, answer, response):
        for name, header in response.get("headers", {}).items():
            assert not header.get("required") or answer.headers[name], (
                f"{what} has no {name}")
        if method == "HEAD" or "content" not in response:
            assert answer.body == b"", f"{what} has a body"
            return
        kind = answer.headers["Content-Type"].split(";")[0]
        assert kind in response["content"], f"{what} is {kind}"
        value = (answer.json if kind == "application/json" else answer.text)
        self._valid(response["content"][kind]["schema"], value, what)

    def _ends(self, operation):
        """Has the answer an end? That of /events is read by its own tests."""
        return not any(
            "text/event-stream" in self._resolved(response).get("content", {})
            for response in operation["responses"].values())

    def readable(self):
        """Each method and path that changes nothing; {id} is 1."""
        return [(method, re.sub(r"\{\w+\}", "1", path))
                for path, item in self.document["paths"].items()
                for method in READING
                if method.lower() in self._resolved(item)
                and self._ends(self._resolved(item)[method.lower()])]


@functools.lru_cache(maxsize=None)
def ours():
    return Description(json.loads(
        (TOP / "daemon/api/openapi.json").read_text()))


def check_node(node):
    """All that can be read of a node is as it is described."""
    for method, path in ours().readable():
        ours().check(method, path, node.request(method, path))
