//! Distinguished names for people: `CN=rdp.example, O=Example`.

use core::fmt::Write as _;

use crate::der::{Element, OBJECT_IDENTIFIER, SEQUENCE, SET, X509Error};

/// Renders the contents of a `Name` (RFC 5280 4.1.2.4) in the order of the certificate.
///
/// Escapes as RFC 4514 2.4 does, and every control or invisible formatting character besides: the text
/// comes from whoever answers the port and goes to terminals and logs. What cannot be read is shown as hex.
pub(crate) fn render(name: &Element<'_>) -> String {
    let mut out = String::new();
    if render_into(name, &mut out).is_err() {
        out.clear();
        hex(name.whole, &mut out);
    }
    out
}

fn render_into(name: &Element<'_>, out: &mut String) -> Result<(), X509Error> {
    let mut relative_names = name.reader();
    while !relative_names.is_empty() {
        let mut separator = if out.is_empty() { "" } else { ", " };
        let mut attributes = relative_names.expect(SET, "relativeDistinguishedName")?.reader();
        while !attributes.is_empty() {
            out.push_str(separator);
            separator = "+";
            let mut attribute = attributes.expect(SEQUENCE, "attributeTypeAndValue")?.reader();
            let kind = attribute.expect(OBJECT_IDENTIFIER, "type")?;
            let value = attribute.element("value")?;
            attribute.end("value")?;
            attribute_type(kind.contents, out);
            out.push('=');
            match text(&value) {
                Some(text) => escape(&text, out),
                None => hex(value.whole, out),
            }
        }
    }
    Ok(())
}

fn attribute_type(oid: &[u8], out: &mut String) {
    // The short names of RFC 4514 3; the arcs are 2.5.4 (X.520), PKCS #9 and RFC 1274.
    let name = match oid {
        [0x55, 0x04, 0x03] => "CN",
        [0x55, 0x04, 0x05] => "serialNumber",
        [0x55, 0x04, 0x06] => "C",
        [0x55, 0x04, 0x07] => "L",
        [0x55, 0x04, 0x08] => "ST",
        [0x55, 0x04, 0x0a] => "O",
        [0x55, 0x04, 0x0b] => "OU",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01] => "emailAddress",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19] => "DC",
        _ => return dotted(oid, out),
    };
    out.push_str(name);
}

/// An object identifier in dotted form (X.690 8.19), as hex if its encoding is broken.
pub(crate) fn dotted(oid: &[u8], out: &mut String) {
    let start = out.len();
    let mut arc = 0_u64;
    let mut first = true;
    let mut open = true;
    for byte in oid {
        if arc >> 57 != 0 {
            open = true;
            break;
        }
        arc = (arc << 7) | u64::from(byte & 0x7f);
        open = byte & 0x80 != 0;
        if open {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = if first {
            // The first number carries two arcs: 40 * a + b, and only a = 2 has b above 39.
            let top = (arc / 40).min(2);
            write!(out, "{top}.{}", arc - top * 40)
        } else {
            write!(out, ".{arc}")
        };
        first = false;
        arc = 0;
    }
    if open {
        out.truncate(start);
        hex(oid, out);
    }
}

fn text(value: &Element<'_>) -> Option<String> {
    match value.tag {
        // UTF8String, NumericString, PrintableString, IA5String, VisibleString: UTF-8 covers them all.
        0x0c | 0x12 | 0x13 | 0x16 | 0x1a => core::str::from_utf8(value.contents).ok().map(str::to_owned),
        // TeletexString: in practice Latin-1.
        0x14 => Some(value.contents.iter().map(|byte| char::from(*byte)).collect()),
        // BMPString: UTF-16, big endian.
        0x1e => {
            let (pairs, []) = value.contents.as_chunks::<2>() else {
                return None;
            };
            let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
            char::decode_utf16(units).collect::<Result<String, _>>().ok()
        }
        _ => None,
    }
}

fn escape(text: &str, out: &mut String) {
    for (at, c) in text.char_indices() {
        let at_edge = at == 0 || at + c.len_utf8() == text.len();
        if c.is_control() || is_invisible(c) {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                let _ = write!(out, "\\{byte:02X}");
            }
            continue;
        }
        if matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=')
            || (c == ' ' && at_edge)
            || (c == '#' && at == 0)
        {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Characters that change how their neighbours look without being seen: bidirectional overrides, zero
/// width, line separators, tags.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

fn hex(bytes: &[u8], out: &mut String) {
    out.push('#');
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::{dotted, render};
    use crate::der::DerReader;

    fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
        let mut out = vec![tag, u8::try_from(contents.len()).unwrap()];
        out.extend_from_slice(contents);
        out
    }

    fn attribute(oid: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        tlv(0x30, &[tlv(0x06, oid), tlv(tag, value)].concat())
    }

    fn rendered(name: &[u8]) -> String {
        render(&DerReader::new(name).element("name").unwrap())
    }

    fn common_name(tag: u8, value: &[u8]) -> String {
        rendered(&tlv(0x30, &tlv(0x31, &attribute(&[0x55, 4, 3], tag, value))))
    }

    #[test]
    fn every_string_type_is_readable() {
        assert_eq!(common_name(0x0c, "Büro".as_bytes()), "CN=Büro");
        assert_eq!(common_name(0x14, b"B\xfcro"), "CN=Büro");
        assert_eq!(
            common_name(0x1e, &[0, b'B', 0, 0xfc, 0xd8, 0x3d, 0xde, 0x00]),
            "CN=Bü😀"
        );
        assert_eq!(common_name(0x1e, &[0, b'B', 0]), "CN=#1e03004200");
        assert_eq!(common_name(0x0c, &[0xff]), "CN=#0c01ff");
        assert_eq!(common_name(0x04, b"a"), "CN=#040161");
    }

    #[test]
    fn nothing_in_a_name_reaches_the_terminal_as_a_command() {
        assert_eq!(common_name(0x0c, b"a\x1b[2J\r\nb"), "CN=a\\1B[2J\\0D\\0Ab");
        assert_eq!(common_name(0x0c, "a\u{202e}b".as_bytes()), "CN=a\\E2\\80\\AEb");
        assert_eq!(common_name(0x0c, b" a, O=b "), "CN=\\ a\\, O\\=b\\ ");
        assert_eq!(common_name(0x0c, b"#1"), "CN=\\#1");
    }

    #[test]
    fn several_values_and_unknown_types_are_kept() {
        let pair = [
            attribute(&[0x55, 4, 3], 0x0c, b"a"),
            attribute(&[0x55, 4, 0x0a], 0x13, b"b"),
        ]
        .concat();
        let other = attribute(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14], 0x0c, b"c");
        let name = tlv(0x30, &[tlv(0x31, &pair), tlv(0x31, &other)].concat());
        assert_eq!(rendered(&name), "CN=a+O=b, 1.2.840.113556=c");
        assert_eq!(rendered(&tlv(0x30, &[])), "");
        assert_eq!(rendered(&tlv(0x30, &[0x31, 9])), "#30023109");
    }

    #[test]
    fn object_identifiers_are_dotted_or_hex() {
        let show = |oid: &[u8]| {
            let mut out = String::new();
            dotted(oid, &mut out);
            out
        };
        assert_eq!(show(&[0x88, 0x37, 0x03]), "2.999.3");
        assert_eq!(show(&[0x2a, 0x86]), "#2a86");
        assert_eq!(show(&[]), "#");
        assert_eq!(show(&[0xff; 12]), format!("#{}", "ff".repeat(12)));
        assert_eq!(show(&[0x00]), "0.0");
    }
}
