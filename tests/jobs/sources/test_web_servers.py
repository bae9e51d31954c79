"""The mappings of servers' logs: which requests are pages that people opened, and whose pages are private."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from schemas.privacy.pseudonyms import pseudonym
from schemas.source import load_source
from tests.jobs.sources.lines import KEY, kept, parsed, reasons


def test_web_log(tmp_path: Path) -> None:
    browser = '"https://shop.example/" "Mozilla/5.0 (X11; \\"odd\\")"'
    found = parsed(
        "web_log",
        f'192.0.2.77 - - [17/May/2026:12:05:03 +0200] "GET /shoes?size=40 HTTP/1.1" 200 512 {browser}\n'
        f'192.0.2.77 - ann [17/May/2026:12:06:03 +0200] "GET /hats HTTP/2.0" 304 - {browser}\n'
        f'192.0.2.77 - - [17/May/2026:12:06:04 +0200] "GET /img/hat.PNG HTTP/1.1" 200 5 {browser}\n'
        f'192.0.2.77 - - [17/May/2026:12:06:05 +0200] "GET /gone HTTP/1.1" 404 5 {browser}\n'
        f'192.0.2.77 - - [17/May/2026:12:06:06 +0200] "POST /cart HTTP/1.1" 200 5 {browser}\n'
        '192.0.2.88 - - [17/May/2026:12:06:07 +0200] "GET /hats HTTP/1.1" 200 5 "-" "ExampleBot/1.0"\n'
        '192.0.2.99 - - [17/May/2026:12:06:08 +0200] "GET /hats HTTP/1.1" 200 5 "-" "-"\n'
        '192.0.2.66 - - [17/May/2026:12:06:08 +0200] "\\x16\\x03" 400 5 "-" "-"\n',
        tmp_path,
        "log",
    )
    assert found.accepted.select("event_type", "event_time", "item_id").rows() == [
        ("view", datetime(2026, 5, 17, 10, 5, 3, tzinfo=UTC), "/shoes"),
        ("view", datetime(2026, 5, 17, 10, 6, 3, tzinfo=UTC), "/hats"),
        ("view", datetime(2026, 5, 17, 10, 6, 8, tzinfo=UTC), "/hats"),
    ]
    someone = pseudonym(KEY, '192.0.2.77 Mozilla/5.0 (X11; \\"odd\\")')
    assert found.accepted["user_id"].to_list() == [someone, someone, pseudonym(KEY, "192.0.2.99")]
    assert reasons(found) == {
        3: ["source.asset"],
        4: ["source.not_served"],
        5: ["source.not_get"],
        6: ["robot.declared"],
        8: ["source.no_request", "source.not_get", "source.not_served"],
    }
    assert "192.0.2" not in repr(found.rejected["masked_line"].to_list())


BROWSER = '"-" "Mozilla/5.0 (X11; Linux x86_64)"'


@pytest.mark.parametrize(
    ("line", "page", "address"),
    [
        ('2001:db8::7 - - [{}] "GET /jam HTTP/2.0" 200 5 ' + BROWSER, "/jam", "2001:db8::7"),
        ('192.0.2.7 - - [{}] "GET /find?q=\\"red\\" HTTP/1.1" 200 5 ' + BROWSER, "/find", "192.0.2.7"),
        ('192.0.2.7 - ann of york [{}] "GET /a HTTP/1.1" 200 5 ' + BROWSER, "/a", "192.0.2.7"),
        ('192.0.2.7, 10.0.0.9 - - [{}] "GET /b HTTP/1.1" 200 5 ' + BROWSER, "/b", "192.0.2.7"),
        ('192.0.2.7 - - [{}] "GET /c d HTTP/1.1" 200 5 ' + BROWSER, "/c d", "192.0.2.7"),
        ('192.0.2.7 - - [{}] "GET /%D0%BF%D0%BE HTTP/1.1" 200 5 ' + BROWSER, "/по", "192.0.2.7"),
        ('192.0.2.7 - - [{}] "GET https://quince.example/e HTTP/1.1" 200 5 ' + BROWSER, "/e", "192.0.2.7"),
        ('quince.example:443 192.0.2.7 - - [{}] "GET /f HTTP/1.1" 200 5 ' + BROWSER, "/f", "192.0.2.7"),
        ('[2001:db8::1]:443 2001:db8::7 - - [{}] "GET /f HTTP/1.1" 200 5 ' + BROWSER, "/f", "2001:db8::7"),
        ('192.0.2.7 - - [{}] "GET /g HTTP/1.1" 200 5 ' + BROWSER + ' "198.51.100.4" 0.003', "/g", "192.0.2.7"),
    ],
)
def test_pages_of_a_web_log_in_all_its_forms(tmp_path: Path, line: str, page: str, address: str) -> None:
    found = parsed("web_log", line.format("17/May/2026:12:05:03 +0200") + "\n", tmp_path, "log")
    someone = pseudonym(KEY, f"{address} Mozilla/5.0 (X11; Linux x86_64)")
    assert found.accepted.select("item_id", "user_id").rows() == [(page, someone)]


def test_a_page_in_the_common_format_is_of_the_address_alone(tmp_path: Path) -> None:
    found = parsed("web_log", '192.0.2.7 - - [17/May/2026:12:05:03 +0200] "GET /h HTTP/1.1" 200 5\n', tmp_path, "log")
    assert found.accepted.select("item_id", "user_id").rows() == [("/h", pseudonym(KEY, "192.0.2.7"))]


@pytest.mark.parametrize("request_", ["\\x16\\x03\\x01\\x00\\xee", "-", "", "\\x05\\x01", "quit", "SSH-2.0-Go"])
def test_requests_that_are_not_of_http_are_set_aside(tmp_path: Path, request_: str) -> None:
    line = f'192.0.2.7 - - [17/May/2026:12:05:03 +0200] "{request_}" 400 226 "-" "-"\n'
    (why,) = reasons(parsed("web_log", line, tmp_path, "log")).values()
    assert why[0] == "source.no_request"


PRIVATE = {
    "/users/anna.meyer@example.com/orders": ["source.account", "source.address"],
    "/en/account/orders": ["source.account"],
    "/My-Account": ["source.account"],
    "/login": ["source.account"],
    "/password-reset/8f3c1d9e7a": ["source.reset"],
    "/confirm/8f3c1d": ["source.reset"],
    "/unsubscribe/8f3c1d": ["source.reset"],
    "/a;email=anna.example": ["source.token"],
    "/a;jsessionid=8F3C": ["source.token"],
    "/d/9f86d081884c7d659a2feaa0c55ad015": ["source.token"],
    "/d/123e4567-e89b-12d3-a456-426614174000": ["source.token"],
    "/d/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0": ["source.token"],
    "/people/bela%40people.example": ["source.address"],
    "/people/bela%2540people.example": ["source.address"],
}


PUBLIC = ["/p/242", "/shoes/how-to-tie-your-shoes-in-2026", "/news/1998/04/16", "/mens", "/keyboards", "/resetting-a-watch"]


def test_private_pages_of_a_web_log_become_no_items_and_leave_no_trace(tmp_path: Path) -> None:
    line = '192.0.2.77 - - [17/May/2026:12:05:03 +0200] "GET {} HTTP/1.1" 200 512 "-" "Mozilla/5.0"\n'
    found = parsed("web_log", "".join(map(line.format, [*PRIVATE, *PUBLIC])), tmp_path, "log")
    assert found.accepted["item_id"].to_list() == PUBLIC
    assert list(reasons(found).values()) == list(PRIVATE.values())
    assert set(found.rejected["masked_line"]) == {None}


def test_ip_address_used_as_user_id_is_not_kept(tmp_path: Path) -> None:
    found = parsed(
        "web_log",
        '192.0.2.77 - - [17/May/2026:12:05:03 +0200] "GET /whois/192.0.2.77 HTTP/1.1" 200 512 "-" "Mozilla/5.0"\n',
        tmp_path,
        "log",
    )
    assert found.accepted["item_id"].to_list() == ["/whois/" + pseudonym(KEY, "192.0.2.77 Mozilla/5.0")]


def test_nginx_json(tmp_path: Path) -> None:
    line = (
        '{{"time_iso8601": "2026-03-02T09:00:0{n}+01:00", "remote_addr": "2001:db8::7", "request": "{request}", "uri": "{uri}",'
        ' "status": "{status}", "http_user_agent": "{agent}"}}\n'
    )
    browser = {"agent": "Mozilla/5.0", "status": 200}
    found = parsed(
        "nginx_json",
        line.format(n=0, request='GET /lamps?q=\\"red\\" HTTP/2.0', uri="/lamps", **browser)
        + line.format(n=1, request="POST /cart HTTP/2.0", uri="/cart", **browser)
        + line.format(n=2, request="GET /gone HTTP/2.0", uri="/gone", agent="Mozilla/5.0", status=404)
        + line.format(n=3, request="GET /my/orders HTTP/2.0", uri="/my/orders", **browser)
        + line.format(n=4, request="GET /lamps HTTP/2.0", uri="/lamps", agent="ExampleBot/1.0", status=200),
        tmp_path,
        "jsonl",
    )
    assert kept(found, "user_id", "event_time", "item_id") == [
        (pseudonym(KEY, "2001:db8::7 Mozilla/5.0"), datetime(2026, 3, 2, 8, tzinfo=UTC), "/lamps")
    ]
    assert reasons(found) == {
        2: ["source.not_get"],
        3: ["source.not_served"],
        4: ["source.account"],
        5: ["robot.declared"],
    }


def test_iis(tmp_path: Path) -> None:
    """The fields may change inside a file; the lines of the format itself are no rejects that count."""
    found = parsed(
        "iis",
        "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Date: 2026-03-02 08:00:00\n"
        "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip "
        "cs(User-Agent) cs(Referer) sc-status\n"
        "2026-03-02 08:00:01 10.0.0.1 GET /caf%C3%A9 - 443 - 192.0.2.77 Mozilla/5.0+(Windows+NT+10.0) - 200\n"
        "2026-03-02 08:00:02 10.0.0.1 POST /cart - 443 - 192.0.2.77 Mozilla/5.0+(Windows+NT+10.0) - 200\n"
        "#Fields: date time c-ip cs-method cs-uri-stem sc-status cs(User-Agent)\n"
        "2026-03-02 08:00:03 192.0.2.77 GET /lamps 200 Mozilla/5.0+(Windows+NT+10.0)\n"
        "2026-03-02 08:00:04 192.0.2.77 GET /style.css 200 Mozilla/5.0+(Windows+NT+10.0)\n",
        tmp_path,
        "log",
    )
    someone = pseudonym(KEY, "192.0.2.77 Mozilla/5.0+(Windows+NT+10.0)")
    assert kept(found, "user_id", "event_time", "item_id") == [
        (someone, datetime(2026, 3, 2, 8, 0, 1, tzinfo=UTC), "/café"),
        (someone, datetime(2026, 3, 2, 8, 0, 3, tzinfo=UTC), "/lamps"),
    ]
    assert {line: why for line, why in reasons(found).items() if line in (6, 9)} == {6: ["source.not_get"], 9: ["source.asset"]}
    assert all(why[0].startswith("source.") for why in reasons(found).values())


CLOUDFRONT_FIELDS = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query "
    "cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for "
    "ssl-protocol ssl-cipher x-edge-response-result-type "
    "cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte "
    "x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end"
)


def test_cloudfront(tmp_path: Path) -> None:
    """The fields are named with blanks between them, and divided by tabs."""

    def line(number: int, agent: str, page: str) -> str:
        values = {
            "date": "2026-03-02",
            "time": f"08:00:0{number}",
            "c-ip": "192.0.2.77",
            "cs-method": "GET",
            "sc-status": "200",
        }
        values |= {"cs-uri-stem": page, "cs(User-Agent)": agent, "x-edge-request-id": f"r{number}=="}
        return "\t".join(values.get(name, "-") for name in CLOUDFRONT_FIELDS.split()) + "\n"

    found = parsed(
        "cloudfront",
        f"#Version: 1.0\n#Fields: {CLOUDFRONT_FIELDS}\n"
        + line(1, "Mozilla/5.0%20(X11)", "/caf%C3%A9")
        + line(2, "Googlebot/2.1", "/lamps")
        + line(3, "Mozilla/5.0%20(X11)", "/users/ann"),
        tmp_path,
        "log",
    )
    assert kept(found, "event_id", "user_id", "event_time", "item_id") == [
        ("r1==", pseudonym(KEY, "192.0.2.77 Mozilla/5.0%20(X11)"), datetime(2026, 3, 2, 8, 0, 1, tzinfo=UTC), "/café")
    ]
    assert {line: why for line, why in reasons(found).items() if line > 3} == {4: ["robot.declared"], 5: ["source.account"]}
    assert all(why[0].startswith("source.") for line, why in reasons(found).items() if line < 3)


def test_alb(tmp_path: Path) -> None:
    """Older lines end earlier, and newer ones have fields that nobody knew."""

    def line(request_: str, status: int = 200, end: str = "") -> str:
        return (
            "https 2026-03-02T08:00:01.186641Z app/shop/50dc6c495c0c9188 192.0.2.77:2817 10.0.0.1:80 0.086 0.048 0.037 "
            f'{status} {status} 0 57 "{request_}" "Mozilla/5.0 (X11)" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 '
            f'arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/t/73 "Root=1-58337281-1d84f3d7"{end}\n'
        )

    found = parsed(
        "alb",
        line("GET https://shop.example:443/caf%C3%A9?a=1 HTTP/1.1")
        + line(
            "GET https://shop.example:443/lamps HTTP/2.0",
            end=' "shop.example" "arn:aws:acm:1" 0 2026-03-02T08:00:01Z "forward" "-"',
        )
        + line("GET https://shop.example:443/ HTTP/1.1")
        + line("GET https://shop.example:443 HTTP/1.1")
        + line("- http://shop.example:80- -", 400)
        + line("GET https://shop.example:443/lamps HTTP/1.1", 503),
        tmp_path,
        "log",
    )
    someone = pseudonym(KEY, "192.0.2.77 Mozilla/5.0 (X11)")
    at = datetime(2026, 3, 2, 8, 0, 1, 186641, tzinfo=UTC)
    assert kept(found, "user_id", "event_time", "item_id") == [(someone, at, page) for page in ("/café", "/lamps", "/", "/")]
    assert reasons(found) == {5: ["source.no_request", "source.not_get", "source.not_served"], 6: ["source.not_served"]}


def test_s3_access(tmp_path: Path) -> None:
    """Also pictures are items of a bucket; fields may follow behind the user agent."""

    def line(request_id: str, operation: str, key: str, agent: str = '"Mozilla/5.0 (X11)"') -> str:
        return (
            f"79a59df bucket [02/Mar/2026:08:00:00 +0000] 192.0.2.3 - {request_id} {operation} {key} "
            f'"GET /{key} HTTP/1.1" 200 - 113 113 7 6 "-" {agent} - host= SigV4 ECDHE AuthHeader bucket.example TLSV1.2 - -\n'
        )

    found = parsed(
        "s3_access",
        line("R1", "REST.GET.OBJECT", "pics/red%20lamp.jpg")
        + line("R2", "WEBSITE.GET.OBJECT", "lamps.html")
        + line("R3", "REST.PUT.OBJECT", "pics/lamp.jpg")
        + line("R4", "REST.GET.OBJECT", "users/ann.jpg")
        + line("R5", "REST.GET.OBJECT", "pics/lamp.jpg", '"curl/8.0"')
        + line("R6", "REST.GET.BUCKET", "-", "-"),
        tmp_path,
        "log",
    )
    assert kept(found, "event_id", "item_id") == [("R1", "pics/red lamp.jpg"), ("R2", "lamps.html")]
    assert found.accepted["user_id"][0] == pseudonym(KEY, "192.0.2.3 Mozilla/5.0 (X11)")
    assert reasons(found) == {3: ["source.not_get"], 4: ["source.account"], 5: ["robot.declared"], 6: ["source.not_get"]}


@pytest.mark.parametrize(
    ("agent", "declared"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", True),
        ("AhrefsBot", True),
        ("bot", True),
        ("Mozilla/5.0 (Linux; Android 9; CUBOT_X19) Mobile Safari", False),  # a maker of telephones
    ],
)
def test_bots_of_a_web_log(agent: str, declared: bool) -> None:
    robots = load_source("web_log").robots
    assert robots is not None
    assert pl.Series([agent]).str.contains(robots.pattern)[0] is declared
