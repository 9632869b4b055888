import pytest

from hub.configuration import identifiers

NORWEGIAN = ["916879067", "123456785", "987654325", "999999999"]


@pytest.mark.parametrize("number", NORWEGIAN)
def test_a_norwegian_organisation_number_has_a_check_digit(number):
    assert identifiers.organisation_number(number, of="NO") == ""


@pytest.mark.parametrize("number", ["916879068", "123456789", "91687906", "916 879 067", "abc"])
def test_a_wrong_norwegian_organisation_number_is_refused(number):
    assert "mod 11" in identifiers.organisation_number(number, of="NO")


def test_a_danish_number_is_refused_for_its_form_and_doubted_for_its_check_digit():
    assert identifiers.organisation_number("2919062", of="DK") != ""
    assert identifiers.organisation_number("10111111", of="DK") == ""
    assert "mod 11" in identifiers.organisation_number_doubt("10111111", of="DK")
    assert identifiers.organisation_number_doubt("29190623", of="DK") == ""


@pytest.mark.parametrize("text", ["09506000134352", "+A99912345C", "=A9999XYZ100T0474"])
def test_a_udi_di_is_a_gtin_or_of_another_issuing_body(text):
    assert identifiers.udi_di(text) == ""


@pytest.mark.parametrize("text", ["09506000134353", "9506000134352", "0950600013435", "x"])
def test_a_gtin_with_a_wrong_digit_or_length_is_refused(text):
    assert "14 digits" in identifiers.udi_di(text)


def test_a_basic_udi_di_of_gs1_is_checked_by_mod_1021():
    assert identifiers.basic_udi_di("1987654Ad4X4bL5ttr2310c2K") == ""
    assert "mod 1021" in identifiers.basic_udi_di("1987654Ad4X4bL5ttr2310c2L")
    assert "6 to 25" in identifiers.basic_udi_di("1" * 26)
    assert identifiers.basic_udi_di("++B999ABC") == ""


@pytest.mark.parametrize("text", ["A", "PACS 1", "ON", "X" * 16])
def test_an_ae_title_of_the_standard_is_taken(text):
    assert identifiers.ae_title(text) == ""


@pytest.mark.parametrize("text", ["X" * 17, "A\\B", "A\tB", " A", "Ø", " "])
def test_an_ae_title_that_no_association_can_carry_is_refused(text):
    assert identifiers.ae_title(text) != ""


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (identifiers.srn, "NO-MF-000012345", "NOMF12345"),
        (identifiers.notified_body, "2460", "24600"),
        (identifiers.time_zone, "Europe/Oslo", "Europe/Drammen"),
        (identifiers.charset, "UNICODE UTF-8", "KLINGON"),
        (identifiers.charset, "8859/1", "8859/12"),
        (identifiers.her_id, "8094866", "08094866"),
        (identifiers.her_id, "1", "80948661234"),
        (identifiers.resh_id, "4001031", "4001 031"),
        (identifiers.npr_activity_unit, "9168790671", "9168790672"),
        (identifiers.npr_activity_unit, "1234567851", "1234567891"),
        (identifiers.npr_dose_unit, "9168790672", "9168790671"),
        (identifiers.npr_dose_unit, "9168790672", "916879067"),
        (identifiers.percentage, "12.5%", "101%"),
        (identifiers.country, "NO", "Norway"),
        (identifiers.host, "pacs.example.org", "pacs example"),
        (identifiers.host, "::1", "a/b"),
        (identifiers.slug, "vestre-viken", "vestre viken\n"),
    ],
)
def test_patterns_take_the_right_and_refuse_the_wrong(check, good, bad):
    assert check(good) == ""
    assert check(bad) != ""


def test_a_vat_number_is_held_against_the_rules_of_its_country():
    assert identifiers.vat_number("NO123456785MVA", of="NO") == ""
    assert "NO, nine digits, MVA" in identifiers.vat_number("123456785MVA", of="NO")
    assert "mod 11" in identifiers.vat_number("NO123456789MVA", of="NO")
    assert identifiers.vat_number("DK29190623", of="DK") == ""
    assert "DK and eight digits" in identifiers.vat_number("29190623", of="DK")


def test_a_vat_number_that_another_country_gives_out_is_doubted_and_not_refused():
    assert "mod 11" in identifiers.vat_number_doubt("DK10111111", of="DK")
    assert "no VAT number of SE" in identifiers.vat_number_doubt("SE123", of="SE")
    assert identifiers.vat_number_doubt("SE556677889901", of="SE") == ""
    for country in ("SE", "US"):
        assert identifiers.vat_number("whatever", of=country) == ""
    assert identifiers.vat_number_doubt("whatever", of="US") == ""


@pytest.mark.parametrize("text", ["1238764941387", "123876494138", "12387649413860", "x"])
def test_a_gln_has_13_digits_and_a_check_digit(text):
    assert identifiers.gln("1238764941386") == ""
    assert "13 digits" in identifiers.gln(text)
