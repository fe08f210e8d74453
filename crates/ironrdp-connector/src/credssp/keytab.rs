//! A server's Kerberos keys, in the file format of MIT and Heimdal Kerberos.

use ironrdp_core::{Decode, DecodeResult, ReadCursor};
use ironrdp_pdu::client_info::Secret;

/// A server's long-term Kerberos keys, read from a keytab file (`ktutil`, `kadmin ktadd`, `ktpass`).
#[derive(Debug, Clone)]
pub struct Keytab {
    entries: Vec<KeytabEntry>,
}

/// One key of a [`Keytab`].
#[derive(Clone)]
pub struct KeytabEntry {
    /// The service's name in its parts: `TERMSRV` and `host.example.com`.
    pub service: Vec<String>,
    /// Its realm.
    pub realm: String,
    /// The key's version; the KDC counts it up with every change.
    pub version: u32,
    /// The kind of encryption (RFC 3961): 18 is AES with 256 bits.
    pub encryption_type: u16,
    key: Secret<Vec<u8>>,
}

ironrdp_pdu::debug_hiding!(KeytabEntry { service, realm, version, encryption_type } hides { key });

/// Parts of a name. Services have two; nothing has ten.
const MAX_COMPONENTS: u16 = 10;

const FORMAT: u16 = 0x0502;

const AES_128: u16 = 17;
const AES_256: u16 = 18;

impl Keytab {
    /// Reads a keytab file's contents.
    pub fn from_bytes(bytes: &[u8]) -> DecodeResult<Self> {
        ironrdp_core::decode_exact(bytes)
    }

    /// All keys in the file.
    pub fn entries(&self) -> &[KeytabEntry] {
        &self.entries
    }

    /// The key for each service: the newest of the strongest kind that is understood.
    pub(super) fn best(&self) -> Vec<&KeytabEntry> {
        let mut best: Vec<&KeytabEntry> = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.rank().is_some()) {
            match best.iter_mut().find(|other| other.service == entry.service) {
                Some(other) if other.rank() < entry.rank() => *other = entry,
                Some(_) => {}
                None => best.push(entry),
            }
        }
        best
    }
}

impl KeytabEntry {
    pub(super) fn key(&self) -> &[u8] {
        self.key.expose()
    }

    fn rank(&self) -> Option<(u32, u16)> {
        matches!(self.encryption_type, AES_128 | AES_256).then_some((self.version, self.encryption_type))
    }
}

impl<'de> Decode<'de> for Keytab {
    const NAME: &'static str = "Keytab";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let start = src.clone();
        let format = src.u16_be("format")?;
        if format != FORMAT {
            return Err(start.unsupported("format", format));
        }
        let mut entries = Vec::new();
        while !src.is_empty() {
            let size = src.array::<4>("size").map(i32::from_be_bytes)?;
            let length = usize::try_from(size.unsigned_abs()).unwrap_or(usize::MAX);
            let mut entry = src.sub(length, "entry")?;
            // A negative size is a hole where an entry was deleted.
            if size > 0 {
                entries.push(KeytabEntry::decode(&mut entry)?);
            }
        }
        Ok(Self { entries })
    }
}

impl<'de> Decode<'de> for KeytabEntry {
    const NAME: &'static str = "KeytabEntry";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let start = src.clone();
        let components = src.u16_be("num_components")?;
        if components > MAX_COMPONENTS {
            return Err(start.limit("num_components", components.into(), MAX_COMPONENTS.into()));
        }
        let realm = text(src, "realm")?;
        let service = (0..components)
            .map(|_| text(src, "component"))
            .collect::<DecodeResult<_>>()?;
        src.skip(4, "name_type")?;
        src.skip(4, "timestamp")?;
        let short_version = src.u8("vno8")?;
        let encryption_type = src.u16_be("type")?;
        let length = src.u16_be("length")?;
        let key = Secret::new(src.bytes(usize::from(length), "key")?.to_vec());
        // Files written before 2000 have no long version; some writers leave it 0.
        let version = match src.remaining() {
            4.. => match src.u32_be("vno")? {
                0 => u32::from(short_version),
                version => version,
            },
            _ => u32::from(short_version),
        };
        Ok(Self {
            service,
            realm,
            version,
            encryption_type,
            key,
        })
    }
}

fn text(src: &mut ReadCursor<'_>, name: &'static str) -> DecodeResult<String> {
    let length = src.u16_be(name)?;
    let start = src.clone();
    let bytes = src.bytes(usize::from(length), name)?;
    core::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| start.text(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = include_bytes!("../../tests/vectors/credssp/service.keytab");

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_file_of_mit_kerberos_is_read_as_its_own_tools_do() {
        let keytab = Keytab::from_bytes(FILE).unwrap();
        let seen: Vec<(String, u32, u16, String)> = keytab
            .entries()
            .iter()
            .map(|entry| {
                let name = format!("{}@{}", entry.service.join("/"), entry.realm);
                (name, entry.version, entry.encryption_type, hex(entry.key()))
            })
            .collect();
        let service = "TERMSRV/server.lab.example@LAB.EXAMPLE";
        let aes_256 = "8f4605c3c2da63a39ce27de29e6beb513b92cd5086d1ed752ad5650a8c3a3890";
        let expected = [
            (service, 1, AES_256, aes_256),
            (service, 300, AES_128, "bd2cdaf39addcdf2e81350aca96498ec"),
            (service, 300, AES_256, aes_256),
            (
                "HOST/server@LAB.EXAMPLE",
                2,
                23,
                "69bd8727228be475e905908d3c6474fd",
            ),
        ];
        assert_eq!(
            seen,
            expected.map(|(name, version, kind, key)| (name.to_owned(), version, kind, key.to_owned()))
        );
        // One key a service: the newest, and the strongest of those. None for a cipher that is not understood.
        let best = keytab.best();
        assert_eq!(best.len(), 1);
        assert_eq!((best[0].version, best[0].encryption_type), (300, AES_256));
        assert!(!format!("{keytab:?}").contains("143, 70"), "a key in the log");
    }

    #[test]
    fn a_file_cut_or_changed_anywhere_is_read_in_part_or_refused() {
        const ENDS: [usize; 4] = [2, 99, 180, 277];
        for cut in 0..FILE.len() {
            let read = Keytab::from_bytes(&FILE[..cut]);
            match ENDS.iter().position(|end| *end == cut) {
                Some(entries) => assert_eq!(read.unwrap().entries().len(), entries),
                None => assert!(read.is_err(), "cut at {cut}"),
            }
        }
        for at in 0..FILE.len() {
            let mut changed = FILE.to_vec();
            changed[at] ^= 0x81;
            let _ = Keytab::from_bytes(&changed);
        }
    }

    #[test]
    fn a_hole_is_passed_over_and_a_lying_size_refused() {
        let hole = [&FILE[..2], &(-5_i32).to_be_bytes(), &[7; 5], &FILE[2..]].concat();
        assert_eq!(Keytab::from_bytes(&hole).unwrap().entries().len(), 4);
        for size in [i32::MIN, i32::MAX, 1000] {
            let lies = [&FILE[..2], &size.to_be_bytes(), &FILE[6..]].concat();
            assert!(Keytab::from_bytes(&lies).is_err(), "{size}");
        }
    }
}
