from __future__ import annotations

import pytest

from connectors.email.language import Compiler
from connectors.email.message import Content, build_message
from connectors.email.send import EmailParameters, EmailSend
from connectors.email.templates import Rendered, Templates
from engine.errors import ConfigurationInvalid, DefinitionInvalid
from engine.model.email_address import email_address
from tests.doubles.context import START

CHARGED = b"""Subject: Charged {{ amount|money(currency) }}

Hello {{ name }}.
{% for line in details|lines %}
- {{ line }}
{% endfor %}
"""


def render(text: str | bytes, html: str | None = None, **variables: object) -> Rendered:
    resources = {"mail/charged.txt": text if isinstance(text, bytes) else f"Subject: About it\n\n{text}".encode()}
    if html is not None:
        resources["mail/charged.html"] = html.encode()
    return Templates(resources, Compiler()).render("charged", {"locale": "en", **variables})


def test_subject_and_text_come_from_one_file() -> None:
    rendered = render(CHARGED, amount=12050, currency="USD", name="Ann", details="Seats\n  Storage")
    assert rendered == Rendered("Charged $120.50", "Hello Ann.\n- Seats\n-   Storage\n", None)


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "shown"),
    [
        (12050, "USD", "en", "$120.50"),
        (-12050, "usd", "en", "-$120.50"),
        (1234567, "EUR", "de", "12.345,67\xa0€"),
        (12000, "JPY", "ja", "\uffe512,000"),
        (12345, "KWD", "en", "KWD\xa012.345"),
        (12345, "ISK", "en", "ISK\xa012,345"),
        (150, "MGA", "en", "MGA\xa01.50"),  # Babel alone writes no decimals here, and would round
        (12050, "IDR", "en-US", "IDR\xa0120.50"),
        (9_007_199_254_740_993, "USD", "en", "$90,071,992,547,409.93"),
    ],
)
def test_amounts_are_written_exactly_as_the_locale_writes_the_currency(
    amount: int, currency: str, locale: str, shown: str
) -> None:
    assert render("{{ amount|money(currency) }}", amount=amount, currency=currency, locale=locale).text == shown


@pytest.mark.parametrize(("locale", "shown"), [("en", "October 2026"), ("ja_JP", "2026年10月"), ("fr", "octobre 2026")])
def test_months_are_named_as_the_locale_names_them(locale: str, shown: str) -> None:
    assert render("{{ month|month_name }}", month="2026-10", locale=locale).text == shown


@pytest.mark.parametrize(
    ("template", "variables", "named"),
    [
        ("{{ amount }}", {}, "'amount' is undefined"),
        ("{{ who.name }}", {"who": {}}, "has no attribute 'name'"),
        ("{% if missing %}x{% endif %}", {}, "'missing' is undefined"),
        ("{{ amount|money('USD') }}", {"amount": "120.50"}, "whole minor units"),
        ("{{ amount|money('USD') }}", {"amount": 1.5}, "whole minor units"),
        ("{{ amount|money('USD') }}", {"amount": True}, "whole minor units"),
        ("{{ amount|money('DOLLARS') }}", {"amount": 1}, "DOLLARS"),
        ("{{ month|month_name }}", {"month": "2026-13"}, "2026-13"),
        ("{{ amount|money('USD') }}", {"amount": 1, "locale": "klingon"}, "klingon"),
        ("{{ details|lines }}", {"details": 3}, "lines"),
    ],
)
def test_what_does_not_suit_the_template_is_named(template: str, variables: dict[str, object], named: str) -> None:
    with pytest.raises(DefinitionInvalid, match=r"^mail/charged\.txt: Expected .* but .*Do: ") as refused:
        render(template, **variables)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    "template",
    [
        "{{ range(10) }}",
        "{{ ''.join(['a']) }}",
        "{{ cycler('a') }}",
        "{% set x = 1 %}",
        "{% macro m() %}{{ m() }}{% endmacro %}",
        "{% include 'mail/other.txt' %}",
        "{% import 'mail/other.txt' as other %}",
        "{% extends 'mail/other.txt' %}",
        "{% autoescape false %}{{ x }}{% endautoescape %}",
        "{{ x|safe }}",
        "{{ x|center(1000000000) }}",
        "{{ 9 ** 9 ** 9 }}",
        "{% for x in xs recursive %}{{ loop(x) }}{% endfor %}",
    ],
)
def test_what_could_run_for_ever_or_escape_is_refused_before_it_runs(template: str) -> None:
    with pytest.raises(DefinitionInvalid, match=r"^mail/charged\.txt: Expected variables, if, for"):
        render(template, x="x", xs=[])


@pytest.mark.parametrize("template", ["{{ 'a' * 1000000000 }}", "{{ '%1000000000d' % 1 }}", "{{ true + 1 }}"])
def test_arithmetic_is_for_numbers_alone(template: str) -> None:
    with pytest.raises(DefinitionInvalid, match="Expected numbers beside"):
        render(template)


def test_a_template_cannot_reach_into_the_program() -> None:
    with pytest.raises(DefinitionInvalid, match="unsafe"):
        render("{{ x.__class__.__mro__ }}", x="x")


def test_huge_loops_and_huge_texts_are_refused() -> None:
    with pytest.raises(DefinitionInvalid, match="100000 rounds"):
        render("{% for a in xs %}{% for b in xs %}{% for c in xs %}{% endfor %}{% endfor %}{% endfor %}", xs=[1] * 1000)
    with pytest.raises(DefinitionInvalid, match="1000000 characters"):
        render("{% for a in xs %}{{ x }}{% endfor %}", x="x" * 10_000, xs=[1] * 101)
    with pytest.raises(DefinitionInvalid, match="256000 bytes"):
        render("x" * 300_000)


def test_the_rounds_of_one_mail_are_not_counted_for_the_next() -> None:
    templates = Templates({"mail/charged.txt": b"Subject: a\n\n{% for x in xs %}{% endfor %}b"}, Compiler())
    for _ in range(3):
        assert templates.render("charged", {"locale": "en", "xs": [1] * 60_000}).text == "b"


def test_loops_know_where_they_are() -> None:
    assert (
        render("{% for x in xs %}{{ loop.index }}/{{ loop.length }}{{ x }} {% else %}none{% endfor %}", xs=["a", "b"]).text
        == "1/2a 2/2b "
    )


def test_html_is_escaped_and_text_is_not() -> None:
    rendered = render("{{ x }}", "<p title='{{ x }}'>{{ x }}</p>", x="<b> & 'q' \"d\"")
    assert rendered.text == "<b> & 'q' \"d\""
    escaped = "&lt;b&gt; &amp; &#39;q&#39; &#34;d&#34;"
    assert rendered.html == f"<p title='{escaped}'>{escaped}</p>"


def test_control_characters_and_reordering_marks_are_removed() -> None:
    rendered = render("{{ x }}", "{{ x }}", x="a\x00\x1b[31mb\x7f\u202ec\ud800\td\r\ne\rf")
    assert rendered.text == rendered.html == "a[31mbc\td\ne\nf"


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028", "\x0b", "\x85"])
def test_a_line_end_in_data_cannot_begin_another_header(end: str) -> None:
    subject = render(b"Subject: Bill for {{ name }}\n\ntext", name=f"Ann{end}Bcc: eve@example.com").subject
    assert subject in ("Bill for Ann Bcc: eve@example.com", "Bill for AnnBcc: eve@example.com")
    message = build_message(Content(subject, "text", None, "ann@example.com"), "b@example.com", ("j1",), START)
    assert message["Bcc"] is None


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (b"Hello\n\ntext", "but found 'Hello'"),
        (b"Subject: a\nBcc: eve@example.com\n\ntext", "charged.txt:2: .*Bcc"),
        (b"Subject: a\nSubject: b\n\ntext", "charged.txt:2:"),
        (b"Subject: a", "no"),
        (b"Subject: \n\ntext", "subject of 1 to 250"),
        (b"Subject: {{ x }}\n\ntext", "it has 300"),
        (b"Subject: \xff\n\ntext", "UTF-8"),
        (b"Subject: {{ x\n\ntext", "line 1"),
        (b"Subject: a\n\n{% for %}", "line 1"),
    ],
)
def test_a_malformed_template_is_refused_with_its_place(source: bytes, why: str) -> None:
    with pytest.raises(DefinitionInvalid, match=rf"^mail/charged\.txt.*{why}" if "charged.txt" not in why else why):
        render(source, x="x" * 300)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    assert render(b"\xef\xbb\xbfSubject: a\r\n\r\none\r\ntwo") == Rendered("a", "one\ntwo", None)


def test_a_missing_template_names_those_that_are_there() -> None:
    with pytest.raises(DefinitionInvalid, match=r"mail/charged\.txt, but the deployed definition has mail/failed\.txt"):
        Templates({"mail/failed.txt": b""}, Compiler()).render("charged", {})


def _parameters(**changes: object) -> EmailParameters:
    return EmailParameters.model_validate({"to": "ann@example.com", "template": "charged"} | changes)


@pytest.mark.parametrize(
    "address", ["ann@example.com", "a.b+c@sub.example.co.jp", "  ann@localhost ", "o'hara@xn--bcher-kva.example"]
)
def test_plain_addresses_are_accepted(address: str) -> None:
    assert email_address(address) == address.strip()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "@example.com",
        "ann@",
        "a@b@c",
        "ann@example..com",
        ".ann@example.com",
        "ann@-x.com",
        "ann@example.com, eve@example.com",
        "Ann <ann@example.com>",
        "ann@exa mple.com",
        "ann@example.com\r\nBcc: eve@example.com",
        "änn@example.com",
        "a" * 65 + "@example.com",
        "a@" + "b" * 64 + ".com",
        '"ann"@example.com',
    ],
)
def test_anything_else_is_refused_as_an_address(address: str) -> None:
    with pytest.raises(ValueError, match="Expected one e-mail address"):
        _parameters(to=address)


@pytest.mark.parametrize("template", ["../secret", "a/b", "", "a" * 101, "charged.txt"])
def test_a_template_is_named_by_a_word(template: str) -> None:
    with pytest.raises(ValueError, match="template"):
        _parameters(template=template)


@pytest.mark.parametrize(
    "sender", ["", "Billing", "a@example.com, b@example.com", "a@example.com\nBcc: b@example.com", "x@exämple.com"]
)
def test_a_sender_that_is_not_one_address_names_the_setting(sender: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="RUN_PROCESS_MAIL_FROM"):
        build_message(Content("s", "t", None, "ann@example.com"), sender, ("j1",), START)


def test_the_message_id_is_the_jobs_own_and_safe_whatever_the_ids_hold() -> None:
    names = ("i4", "übersicht", "j1>")
    message = build_message(Content("s", "t", None, "ann@example.com"), "Billing <billing@example.com>", names, START)
    assert message["Message-ID"] == "<i4.%C3%BCbersicht.j1%3E@example.com>"
    assert message["From"] == "Billing <billing@example.com>"


# --- what `check` asks before anything is deployed ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resources", "says"),
    [
        ({}, "Expected the mail template mail/charged.txt"),
        ({"mail/charged.txt": b"Dear {{ name }}"}, "Expected one line Subject"),
        ({"mail/charged.txt": b"Subject: a\n\n{{ nmae }}"}, "Expected a parameter for 'nmae'"),
        ({"mail/charged.txt": b"Subject: {{ nmae }}\n\nb"}, "Expected a parameter for 'nmae'"),
        ({"mail/charged.txt": b"Subject: a\n\n{{ name | mony }}"}, "mony"),
        ({"mail/charged.txt": b"Subject: a\n\n{% for x in name %}"}, "Expected a mail template"),
        (
            {"mail/charged.txt": b"Subject: a\n\nb", "mail/charged.html": b"{{ other }}"},
            "mail/charged.html: Expected a parameter",
        ),
    ],
)
def test_a_template_that_could_not_be_sent_is_found_before_it_is_deployed(resources: dict[str, bytes], says: str) -> None:
    [problem] = EmailSend("file:///mail", "a@example.com").check_parameters(
        {"template": "charged"}, frozenset({"to", "template", "name"}), resources
    )
    assert says in problem


def test_a_template_whose_variables_are_passed_is_fine() -> None:
    good = {"mail/charged.txt": b"Subject: {{ name }}\n\n{% for line in name %}{{ line }}{% endfor %} {{ to }} {{ locale }}"}
    send = EmailSend("file:///mail", "a@example.com")
    assert send.check_parameters({"template": "charged"}, frozenset({"to", "template", "name"}), good) == []
    assert send.check_parameters({}, frozenset({"template"}), {}) == []  # named by an expression: known when it runs
