"""Who may ask the server: each rule over a real socket."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from inpaint_cli.page.gate import HEADERS, JSON_BYTES
from inpaint_cli.page.serving import HERE, IDLE_SECONDS, MOST_CONNECTIONS
from tests.page.served import Served, photo_at, serving, session_in

EVERY = ["/", "/page.css", "/api/state", "/api/photo", "/nothing"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("gate")
    session = session_in(folder)
    session.open(photo_at(folder / "photo.png"))
    with serving(session) as page:
        yield page


def raw(served: Served, request: bytes) -> bytes:
    """Sends bytes as they are, and returns the answer up to the end of the connection."""
    with socket.create_connection((HERE, served.port), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_it_listens_on_this_machine_alone(served: Served) -> None:
    assert HERE == "127.0.0.1"
    # Another address of the same machine, at which a server on 0.0.0.0 would answer.
    with socket.socket() as other:
        other.settimeout(2)
        assert other.connect_ex(("127.0.0.2", served.port)) != 0


@pytest.mark.parametrize("path", EVERY)
@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.com", "127.0.0.1.nip.io", "127.0.0.1@evil", "", "0"]
)
def test_a_foreign_host_is_refused_even_for_static_files(
    served: Served, path: str, host: str
) -> None:
    assert served.ask("GET", path, headers={"Host": host}).status == 403


def test_no_host_and_two_hosts_are_refused(served: Served) -> None:
    two = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert status(raw(served, two)) in (400, 403)
    assert status(raw(served, b"GET / HTTP/1.0\r\n\r\n")) in (400, 403)


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:8765", "[::1]:80", "LOCALHOST"])
def test_this_machine_is_known_by_its_names_at_any_port(served: Served, host: str) -> None:
    assert served.ask("GET", "/api/state", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_request_of_another_page_is_refused_with_the_token_too(
    served: Served, fields: dict[str, str]
) -> None:
    given = {name: value.format(port=served.port) for name, value in fields.items()}
    answer = served.ask("GET", "/api/state", headers=given)
    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_page_itself_may_ask(served: Served) -> None:
    headers = {"Origin": f"http://127.0.0.1:{served.port}", "Sec-Fetch-Site": "same-origin"}
    assert served.ask("GET", "/api/state", headers=headers).status == 200
    assert served.ask("GET", "/", headers={"Sec-Fetch-Site": "none"}).status == 200


def test_a_preflight_is_refused(served: Served) -> None:
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "PUT"}
    assert served.ask("OPTIONS", "/api/mask", headers=asked).status == 403
    assert served.ask("OPTIONS", "/api/mask").status == 403


ROUTES = [
    ("GET", "/api/state"),
    ("GET", "/api/photo"),
    ("POST", "/api/photo"),
    ("GET", "/api/mask"),
    ("PUT", "/api/mask"),
    ("GET", "/api/mask.png"),
    ("POST", "/api/mask/file"),
    ("POST", "/api/mask/grow"),
    ("POST", "/api/mask/draw"),
    ("POST", "/api/page"),
    ("POST", "/api/rounds"),
    ("DELETE", "/api/rounds/1"),
    ("GET", "/api/rounds/1/events"),
    ("GET", "/api/rounds/1/0/preview.png"),
    ("GET", "/api/rounds/1/0/patch.png"),
    ("GET", "/api/rounds/1/0/file"),
    ("GET", "/api/rounds/1/uncertainty.png"),
    ("POST", "/api/rounds/1/save"),
    ("POST", "/api/rounds/1/continue"),
    ("POST", "/api/quit"),
    ("GET", "/api/nothing"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nothing_is_told_or_done_without_the_token(served: Served, method: str, path: str) -> None:
    wrong = served.page.token[:-1] + ("A" if served.page.token[-1] != "A" else "B")
    for headers in ({}, {"X-Inpaint-Token": wrong}, {"X-Inpaint-Token": ""}):
        answer = served.ask(method, path, headers=headers, token=False)
        assert answer.status == 401
        assert served.page.token not in answer.body.decode()
    assert not served.page.closing


def test_the_token_has_24_random_bytes_and_is_in_no_file(served: Served) -> None:
    assert len(served.page.token) == 32
    assert served.page.token != served.page.once
    for path in ("/", "/page.js"):
        assert served.page.token not in served.ask("GET", path, token=False).body.decode()


def test_the_code_of_the_browser_is_of_use_once(tmp_path: Path) -> None:
    with serving(session_in(tmp_path)) as page:
        once = {"once": page.page.once}
        for wrong in ({"once": "x"}, {"once": ""}, {"once": None}, {}, {"once": "ä"}):
            assert page.ask("POST", "/api/enter", wrong, token=False).status == 401
        answer = page.ask("POST", "/api/enter", once, token=False)
        assert answer.json == {"token": page.page.token}
        assert page.ask("POST", "/api/enter", once, token=False).status == 401
        assert page.ask("POST", "/api/enter", {"once": ""}, token=False).status == 401


def test_the_code_of_the_browser_is_of_use_for_a_minute(tmp_path: Path) -> None:
    with serving(session_in(tmp_path)) as page:
        page.page._born -= 61
        once = {"once": page.page.once}
        assert page.ask("POST", "/api/enter", once, token=False).status == 401


@pytest.mark.parametrize("path", [*EVERY, "/api/rounds/7/events", "/api/rounds/x"])
def test_every_answer_has_the_headers(served: Served, path: str) -> None:
    for fields in ({}, {"Host": "evil.example"}):
        answer = served.ask("GET", path, headers=fields)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "server" not in answer.headers
        assert "x-powered-by" not in answer.headers
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize(
    "path",
    [
        "/../setup.cfg",
        "/..%2f..%2fsetup.cfg",
        "/%2e%2e/cli.py",
        "/static/page.js",
        "/server.py",
        "//etc/passwd",
        "/page.js%00.png",
        "/api/rounds/..%2f1/0/patch.png",
        "/api/rounds/-1/0/patch.png",
        "/api/rounds/1/-1/patch.png",
    ],
)
def test_no_request_names_a_path(served: Served, path: str) -> None:
    assert served.ask("GET", path).status == 404


def test_what_is_sent_has_to_tell_its_length(served: Served) -> None:
    head = f"PUT /api/mask HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Inpaint-Token: {served.page.token}\r\n"
    chunked = head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert status(raw(served, chunked.encode())) == 411
    assert status(raw(served, (head + "\r\n").encode())) == 411
    for method in ("GET", "DELETE"):  # which need no body, and may have one
        assert status(raw(served, chunked.replace("PUT", method).encode())) == 411


@pytest.mark.parametrize(
    ("method", "path", "most"),
    [
        ("POST", "/api/photo", 256 << 20),
        ("POST", "/api/mask/file", 64 << 20),
        ("POST", "/api/rounds", JSON_BYTES),
        ("POST", "/api/enter", JSON_BYTES),
        ("GET", "/api/state", JSON_BYTES),
        ("POST", "/api/photo", 10**12),
    ],
)
def test_what_is_too_large_is_refused_unread_and_the_connection_closed(
    served: Served, method: str, path: str, most: int
) -> None:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Inpaint-Token: {served.page.token}\r\n"
        f"Content-Length: {most + 1}\r\n\r\n"
    )
    answer = raw(served, head.encode())  # returns, so the connection was closed
    assert status(answer) == 413


def test_a_picture_that_unpacks_to_very_much_is_refused(served: Served) -> None:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("1", (20100, 20000)).save(file, format="PNG")
    answer = served.ask("POST", "/api/photo", file.getvalue(), {"X-Name": "bomb.png"})
    assert answer.status == 422
    assert answer.error.startswith("bomb.png: ")


def test_connections_are_limited_in_number_and_in_time() -> None:
    assert (MOST_CONNECTIONS, IDLE_SECONDS) == (32, 60)


def test_a_flood_of_connections_is_turned_away(tmp_path: Path) -> None:
    with serving(session_in(tmp_path)) as page:
        held = [socket.create_connection((HERE, page.port)) for _ in range(MOST_CONNECTIONS)]
        try:
            # The server has seen all of them once one more of them was answered.
            answers = [page.ask("GET", "/") for _ in range(3)]
            assert answers[-1].status == 503
            assert answers[-1].error == "too many connections at once."
            assert {**answers[-1].headers, **HEADERS} == answers[-1].headers
        finally:
            for connection in held:
                connection.close()


def test_what_is_no_http_gets_an_answer_like_all_others(served: Served) -> None:
    answer = raw(served, b"\x16\x03\x01 no request\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    for name, value in HEADERS.items():
        assert f"{name}: {value}".encode() in head
    assert list(json.loads(body)) == ["error"]


@pytest.mark.parametrize("kind", ["svg", "html"])
def test_an_upload_is_never_served_as_it_came(served: Served, kind: str) -> None:
    content = {
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "html": b"<script>alert(1)</script>",
    }[kind]
    answer = served.ask("POST", "/api/photo", content, {"X-Name": f"x.{kind}"})
    assert answer.status == 422
    shown = served.ask("GET", "/api/photo")
    assert shown.headers["content-type"] in ("image/png", "image/jpeg")
    assert b"script" not in shown.body


@pytest.mark.parametrize("body", [b"{", b"[1]", b"nan", b'"x"', b"\xff", b"[" * 60000])
def test_broken_json_is_answered_with_a_sentence(served: Served, body: bytes) -> None:
    answer = served.ask("POST", "/api/rounds", body)
    assert answer.status == 400
    assert "Traceback" not in answer.error
    assert "\n" not in answer.error


def test_a_failure_of_ours_is_one_sentence(
    served: Served, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(served.page.session, "state", broken)
    answer = served.ask("GET", "/api/state")
    assert (answer.status, answer.error) == (500, "internal error: RuntimeError('broken')")
    assert "Traceback" not in capfd.readouterr().err
    served.page.debug = True
    served.ask("GET", "/api/state")
    served.page.debug = False
    assert "Traceback" in capfd.readouterr().err


def test_a_connection_that_breaks_off_is_silent(
    served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    head = (
        f"PUT /api/mask HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Inpaint-Token: {served.page.token}\r\n"
        "Content-Length: 300\r\n\r\n"
    )
    with socket.create_connection((HERE, served.port)) as connection:
        connection.sendall(head.encode() + b"x")
    with socket.create_connection((HERE, served.port)) as connection:
        connection.sendall(b"not HTTP at all\r\n\r\n")
        connection.recv(1000)
    assert served.ask("GET", "/api/state").status == 200
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("method", "path"), [("PUT", "/api/state"), ("DELETE", "/api/mask")])
def test_a_wrong_method_is_refused(served: Served, method: str, path: str) -> None:
    answer = served.ask(method, path)
    assert answer.status == 405
    assert answer.error


def test_a_wrong_address_is_refused(served: Served) -> None:
    for path in ("/api/nothing", "/favicon.png", "/api/rounds/x/events"):
        assert served.ask("GET", path).status == 404
    assert served.ask("POST", "/", b"").status == 405


def test_an_address_of_thousands_of_digits_is_refused(served: Served) -> None:
    answer = served.ask("GET", f"/api/rounds/{'9' * 5000}/events")
    assert (answer.status, answer.error) == (414, "there is nothing here.")
