"""Which numbers an SMS is sent to at all, by the numbering plans (phonenumberslite)."""

import phonenumbers
from phonenumbers import PhoneNumberType

_REACHED = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}


def takes_sms(number: str) -> bool:
    """Whether an E.164 number belongs to a mobile phone of a country.

    Not so: premium rate and shared cost, which pay whoever asks for a code; satellites and other numbers of
    no country; fixed lines; numbers that no plan knows, among them those that are kept for fiction."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return False
    of_a_country = phonenumbers.region_code_for_number(parsed) not in {None, "001", "ZZ"}
    return of_a_country and phonenumbers.number_type(parsed) in _REACHED
