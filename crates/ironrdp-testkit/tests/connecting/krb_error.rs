//! What a KDC says when it refuses (`KRB-ERROR`, RFC 4120 5.9.1), as far as a client looks at it.

/// `KDC_ERR_PREAUTH_REQUIRED`: a proof of the password comes first.
pub(crate) const PREAUTH_REQUIRED: u8 = 25;
/// `KDC_ERR_PREAUTH_FAILED`: the proof is wrong.
pub(crate) const PREAUTH_FAILED: u8 = 24;

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(content.len()).unwrap() {
        length @ 0..=0x7f => bytes.push(length),
        length => bytes.extend([0x81, length]),
    }
    bytes.extend_from_slice(content);
    bytes
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    tlv(0xa0 | number, content)
}

fn integer(value: u8) -> Vec<u8> {
    tlv(2, &[value])
}

/// Which key the KDC wants a proof of: AES-256 with this salt (`ETYPE-INFO2`).
fn wanted_key() -> Vec<u8> {
    let entry = [field(0, &integer(18)), field(1, &tlv(0x1b, b"LAB.TESTrdptest"))].concat();
    let info = tlv(0x30, &tlv(0x30, &entry));
    let method = tlv(0x30, &[field(1, &integer(19)), field(2, &tlv(4, &info))].concat());
    tlv(0x30, &method)
}

/// A refusal with this code, behind its length as over TCP.
pub(crate) fn refusal(code: u8) -> Vec<u8> {
    let realm = tlv(0x1b, b"LAB.TEST");
    let names = tlv(0x30, &[tlv(0x1b, b"krbtgt"), realm.clone()].concat());
    let service = tlv(0x30, &[field(0, &integer(2)), field(1, &names)].concat());
    let mut fields = [
        field(0, &integer(5)),
        field(1, &integer(30)),
        field(4, &tlv(0x18, b"20261122120000Z")),
        field(5, &integer(0)),
        field(6, &integer(code)),
        field(9, &realm),
        field(10, &service),
    ]
    .concat();
    if code == PREAUTH_REQUIRED {
        fields.extend(field(12, &tlv(4, &wanted_key())));
    }
    let message = tlv(0x7e, &tlv(0x30, &fields));
    let length = u32::try_from(message.len()).unwrap();
    [&length.to_be_bytes(), message.as_slice()].concat()
}
