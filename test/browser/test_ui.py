# SPDX-License-Identifier: PostgreSQL
"""The status page in a real browser, through a failover: see run.sh."""

import os
import pathlib
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "test" / "cluster"))

import procs  # noqa: E402
from base import wait_for  # noqa: E402
from browser import Browser  # noqa: E402
from harness import Cluster  # noqa: E402

SHOTS = os.environ.get("MT_SHOTS")      # a folder for pictures, to look at

MARKUP = "<b id=injected onclick=alert(1)>tag</b><script>hacked=1</script>"

# The least contrast of any text with what is behind it, and where that is.
CONTRAST = """
function rgb(text) {
    return text.match(/[\\d.]+/g).map(Number);
}
function light(c) {
    const [r, g, b] = c.map((v) => {
        v /= 255;
        return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function behind(e) {
    for (; e !== null; e = e.parentElement) {
        const c = rgb(getComputedStyle(e).backgroundColor);
        if (c.length === 3 || c[3] === 1)
            return c.slice(0, 3);
    }
    return [255, 255, 255];
}
let worst = [99, ''];
for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) ||
        e.closest('script, style, noscript') || e.offsetParent === null)
        continue;
    const a = light(rgb(getComputedStyle(e).color).slice(0, 3));
    const b = light(behind(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0])
        worst = [ratio, e.outerHTML];
}
return worst;
"""


@pytest.fixture(scope="session", autouse=True)
def adopt():
    procs.adopt_orphans()


@pytest.fixture(name="cluster", scope="module")
def cluster_():
    with Cluster(3) as own:
        own.nodes[1].overrides = {"tags": {"note": MARKUP}}
        own.start_and_form()
        own.create_table()
        yield own


@pytest.fixture(name="browser")
def browser_():
    with Browser() as own:
        yield own


def url(node):
    return f"http://{node.address}:{node.api_port}/ui"


def shoot(browser, name):
    if SHOTS:
        browser.shoot(f"{SHOTS}/{name}.png")


def check_text(browser):
    """Nothing on the page is a value that nobody made a sentence of."""
    text = browser.text("body")
    for wrong in ("[object", "undefined", "NaN", "null"):
        assert wrong not in text, text


def violations(browser):
    """What a console should not say: all but that a node was away, or about
    to go."""
    return [line for line in browser.console()
            if "Content Security Policy" in line[1]
            or (line[0] == "SEVERE" and "net::ERR_" not in line[1]
                and "status of 503" not in line[1])]


def opened(browser, node, primary):
    browser.open(url(node))
    wait_for(lambda: browser.text("#status") == "Live", 20, "the page")
    wait_for(lambda: primary.name in browser.text("#primary"), 20,
             "the primary")
    wait_for(lambda: browser.text("#forecast .big"), 20, "the forecast")
    # it would be gone after a reload
    browser.run("window.marker = 1")


def test_a_failover_is_shown_without_a_reload(cluster, browser):
    old = cluster.wait_healthy()
    watcher = cluster.others(old)[0]
    opened(browser, watcher, old)
    wait_for(lambda: browser.text("#members").count("streaming") == 2, 20,
             "two replicas")
    assert "demo" in browser.run("return document.title")
    shoot(browser, "healthy")
    old.kill()
    new = cluster.primary(among=cluster.others(old))
    wait_for(lambda: new.name in browser.text("#primary .big"), 20,
             "the new primary on the page")
    wait_for(lambda: f"{old.name} → {new.name}" in browser.text("#decisions"),
             20, "the decision on the page")
    wait_for(lambda: "silent" in browser.text("#members"), 20,
             "the silent member on the page")
    assert f"{new.name} has the turn" in browser.text("#news")
    assert new.name in browser.run("return document.title")
    check_text(browser)
    shoot(browser, "failed-over")
    cluster.heal()
    wait_for(lambda: browser.text("#members").count("streaming") == 2, 20,
             "its return on the page")
    assert browser.run("return window.marker") == 1
    assert violations(browser) == []


def test_a_node_that_does_not_answer_is_told(cluster, browser):
    primary = cluster.wait_healthy()
    watcher = cluster.others(primary)[0]
    opened(browser, watcher, primary)
    watcher.freeze()
    wait_for(lambda: browser.text("#status") == "No answer", 20, "the news")
    assert f"{watcher.name} no longer answers" in browser.text("#notices")
    links = browser.run("return [...document.querySelectorAll('#notices a')]"
                        ".map((a) => a.href)")
    assert sorted(links) == sorted(url(n) for n in cluster.others(watcher))
    check_text(browser)
    ratio, where = browser.run(CONTRAST)
    assert ratio >= 4.5, where
    shoot(browser, "frozen")
    watcher.thaw()
    wait_for(lambda: browser.text("#status") == "Live", 20, "its return")
    watcher.stop()
    wait_for(lambda: browser.text("#status") == "No answer", 20, "its end")
    cluster.heal()
    wait_for(lambda: browser.text("#status") == "Live", 20, "its start")
    wait_for(lambda: browser.text("#notices") == "", 20, "a quiet page")
    assert browser.run("return window.marker") == 1
    assert violations(browser) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width, height, mobile", [
    (1280, 900, False), (390, 844, True)], ids=["desk", "phone"])
def test_it_can_be_read(cluster, browser, scheme, width, height, mobile):
    primary = cluster.wait_healthy()
    browser.wear(scheme, width, height, mobile)
    opened(browser, primary, primary)
    wait_for(lambda: browser.text("#members").count("streaming") == 2, 20,
             "two replicas")
    check_text(browser)
    ratio, where = browser.run(CONTRAST)
    assert ratio >= 4.5, where
    assert browser.run("return document.documentElement.scrollWidth"
                       " - document.documentElement.clientWidth") <= 0
    shoot(browser, f"{'phone' if mobile else 'desk'}-{scheme}")
    assert violations(browser) == []


def test_what_the_cluster_says_is_text_and_only_our_script_runs(cluster,
                                                                browser):
    primary = cluster.wait_healthy()
    opened(browser, primary, primary)
    wait_for(lambda: MARKUP in browser.text("#members"), 20, "the tag as text")
    assert browser.run("return document.getElementById('injected')") is None
    assert violations(browser) == []
    # Would the policy have held, had it become markup?
    browser.run(
        "const s = document.createElement('script');"
        "s.textContent = 'window.hacked = 1'; document.body.append(s);"
        "const b = document.createElement('b');"
        "b.setAttribute('style', 'color: red'); document.body.append(b);"
        "const i = document.createElement('img');"
        "i.src = 'http://127.0.0.1:1/x'; document.body.append(i);")
    wait_for(lambda: len(violations(browser)) > 0, 20, "complaints")
    assert browser.run("return window.hacked") is None
