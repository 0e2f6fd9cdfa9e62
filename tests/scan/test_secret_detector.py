"""What counts as a secret and what does not. Literals are put together, so that no scanner stops at us."""

import base64
import hashlib
import json
import random
import string
import uuid
from urllib.parse import quote

import pytest

from cortex_git.scan.secret_detector import HOST_KEY, findings, in_diff

RANDOM = random.Random(5)
LETTERS = string.ascii_letters + string.digits


def some(count: int, alphabet: str = LETTERS) -> str:
    return "".join(RANDOM.choice(alphabet) for _ in range(count))


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


KEY_ID = "AK" + "IA" + some(16, string.ascii_uppercase + "234567")
GITHUB = "gh" + "p_" + some(36)
BEGIN, END = "-----BEGIN RSA " + "PRIVATE KEY-----", "-----END RSA " + "PRIVATE KEY-----"
SECRETS = {
    "aws key id": KEY_ID,
    "aws pair": f"aws_access_key_id = {KEY_ID}\naws_secret_access_key = {some(40, LETTERS + '/+')}",
    "github": GITHUB,
    "github fine-grained": "github" + "_pat_" + some(22) + "_" + some(59),
    "gitlab": "gl" + "pat-" + some(20),
    "slack": "xo" + "xb-" + some(12, string.digits) + "-" + some(12, string.digits) + "-" + some(24),
    "stripe": "sk" + "_live_" + some(24),
    "pem": "\n".join([BEGIN, *(some(64) for _ in range(12)), END]),
    "pem cut off": f"{BEGIN}\n{some(64)}\n{some(64)}",
    "pem in json": f"{BEGIN}\\n{some(64)}\\n{some(64)}\\n{END}",
    "openssh": f"{BEGIN.replace('RSA', 'OPENSSH')}\n{some(70)}\n{some(70)}\n{END.replace('RSA', 'OPENSSH')}",
    "jwt": ".".join(
        [part({"alg": "HS256", "typ": "JWT"}), part({"sub": "12345678", "iat": 1516239022}), some(43)]
    ),
    "anthropic": "sk-" + "ant-api03-" + some(93, LETTERS + "-_") + "AA",
    "openai": "sk" + "-" + some(20) + "T3Blbk" + "FJ" + some(20),
    "openai project": "sk" + "-proj-" + some(74) + "T3Blbk" + "FJ" + some(74),
    "google": "AI" + "za" + some(35),
    "npm": "np" + "m_" + some(36),
    "pypi": "py" + "pi-AgEIcHlwaS5vcmc" + some(120),
    "basic auth": f"https://alice:{some(14)}@example.org/repo.git",
    "database": f"postgres://svc:{some(14)}@db.internal:5432/x",
    "short password in a url": "git clone https://a:" + "Hx7.pq@host.example/r",
    "base64 of one": base64.b64encode(f"token {GITHUB}".encode()).decode(),
}

HARMLESS = {
    "object id": f"commit {hashlib.sha1(b'a').hexdigest()}",
    "many object ids": "\n".join(
        f"{hashlib.sha1(bytes([n])).hexdigest()} refs/heads/a{n}" for n in range(200)
    ),
    "sha256": f"sha256:{hashlib.sha256(b'a').hexdigest()}",
    "sha256 as a token": f'"token": "{hashlib.sha256(b"b").hexdigest()}"',
    "npm integrity": f'"integrity": "sha512-{base64.b64encode(hashlib.sha512(b"x").digest()).decode()}"',
    "pip hash": f"requests==2.3 --hash=sha256:{hashlib.sha256(b'c').hexdigest()}",
    "go.sum": f"golang.org/x/text v0.3.7 h1:{base64.b64encode(hashlib.sha256(b'q').digest()).decode()}",
    "uuid": f"id: {uuid.UUID(int=RANDOM.getrandbits(128))}",
    "nonce": f'"nonce": "{some(32, "0123456789abcdef")}"',
    "picture": f"data:image/png;base64,{base64.b64encode(RANDOM.randbytes(9000)).decode()}",
    "password from the environment": 'password = os.environ["DB_PASSWORD"]',
    "password of a test": 'login(user="a", password="hunter2")',
    "urls": "https://user@example.org/x https://example.org:8080/a@b http://[::1]:80/",
    "urls of examples": "https://user:password@example.com/ https://${USER}:${TOKEN}@host/ https://u:<token>@host/",
    "talk of keys": "It must begin with BEGIN PRIVATE KEY, or sk-ant-..., or AKIA…; see ghp_ tokens.",
    "words like keys": "task-sk-learn risk-ant-hill npm_config_registry pypi-server glpat",
    "minified": f"!function(e,t){{{some(4000)}}}",
    "figures": " ".join(some(20, string.digits) for _ in range(200)),
    "diffstat": "src/very_long_module_name_number_12.py | 34 +++++++++++++++++-----------------",
    "nothing": "",
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_found_and_never_told(name: str) -> None:
    text = f"one\ntwo\n{SECRETS[name]}\nlast"
    found = findings(text)
    assert found
    assert all(3 <= one.line <= 3 + SECRETS[name].count("\n") for one in found)
    told = repr(found)
    assert not any(word in told for word in SECRETS[name].split() if len(word) > 12)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_random_is_none(name: str) -> None:
    assert findings(HARMLESS[name]) == []


HOST = "local key/with+signs=" + "and words 1234"


def shifted(ahead: str) -> str:
    return base64.b64encode((ahead + HOST.replace(" ", "")).encode()).decode()


@pytest.mark.parametrize(
    "written",
    [
        HOST,
        " ".join(HOST),
        "\n".join(HOST[n : n + 3] for n in range(0, len(HOST), 3)),
        "\u200b".join(HOST),
        HOST.replace(" ", "")[::-1],
        quote(HOST.replace(" ", ""), safe=""),
        HOST.replace(" ", "").encode().hex(),
        HOST.replace(" ", "").encode().hex().upper(),
        HOST.replace(" ", "").encode().hex(" "),
        *(shifted(ahead) for ahead in ("", "x", "xy", "xyz")),
        base64.urlsafe_b64encode(HOST.replace(" ", "").encode()).decode(),
    ],
)
def test_a_key_of_this_host_is_found_however_it_is_written(
    monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    text = f"first\n{written}\n"
    assert HOST_KEY not in {one.kind for one in findings(text)}
    monkeypatch.setenv("ANTHROPIC_API_KEY", HOST)
    found = [one for one in findings(text) if one.kind == HOST_KEY]
    assert [one.line for one in found] == [2]


DIFF = """\
diff --git a/old.txt b/old.txt
index 1111111..2222222 100644
--- a/old.txt
+++ b/old.txt
@@ -1,3 +1,2 @@
 first
-{secret}
 last
diff --git a/new name.txt b/new name.txt
new file mode 100644
--- /dev/null
+++ b/new name.txt\t
@@ -0,0 +1,3 @@
+one
++ {secret}
+three
@@ -9,1 +12,2 @@
 {secret}
+{secret}
\\ No newline at end of file
"""


def test_of_a_diff_only_what_is_added_counts() -> None:
    found = in_diff(DIFF.format(secret=GITHUB).encode())
    assert [(one.path, one.line) for one in found] == [("new name.txt", 2), ("new name.txt", 13)]
    assert in_diff(DIFF.format(secret="nothing").encode()) == []


def test_a_key_over_several_added_lines_is_found() -> None:
    lines = SECRETS["pem"].splitlines()
    added = "".join(f"+{line}\n" for line in lines)
    diff = f"diff --git a/k b/k\n--- /dev/null\n+++ b/k\n@@ -0,0 +1,{len(lines)} @@\n{added}"
    assert {one.path for one in in_diff(diff.encode())} == {"k"}
