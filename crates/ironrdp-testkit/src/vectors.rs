//! Bytes that others captured, from the `tests/vectors` folders of the crates.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// One file of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector {
    /// The file's name.
    pub name: String,
    /// What the manifest says it is; empty without a manifest.
    pub what: String,
    /// Its bytes: those of a `.bin`, or those that a `.hex` writes out.
    pub bytes: Vec<u8>,
}

/// The folder of a crate's vectors: `folder("ironrdp-pdu")`.
pub fn folder(package: &str) -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new(""));
    crates.join(package).join("tests/vectors")
}

/// The vectors in a folder: those its `manifest.json` lists, or every `.bin` and `.hex` file, by name.
pub fn load(folder: &Path) -> io::Result<Vec<Vector>> {
    let manifest = folder.join("manifest.json");
    if manifest.exists() {
        return load_listed(folder, &fs::read_to_string(manifest)?);
    }
    let mut vectors = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let (Some(name), Some(extension)) = (file_name(&path), path.extension())
            && (extension == "bin" || extension == "hex")
        {
            vectors.push(read(folder, &name, String::new())?);
        }
    }
    vectors.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(vectors)
}

/// The vectors of every family of a crate.
pub fn load_all(package: &str) -> io::Result<Vec<Vector>> {
    let mut folders: Vec<PathBuf> = fs::read_dir(folder(package))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    folders.sort();
    let mut vectors = Vec::new();
    for folder in folders.iter().filter(|path| path.is_dir()) {
        vectors.extend(load(folder)?);
    }
    Ok(vectors)
}

fn load_listed(folder: &Path, manifest: &str) -> io::Result<Vec<Vector>> {
    let entries: Vec<Value> = serde_json::from_str(manifest)?;
    let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    entries
        .iter()
        .filter_map(|entry| Some((text(entry, "file")?, text(entry, "what").unwrap_or_default())))
        .map(|(name, what)| read(folder, &name, what))
        .collect()
}

fn read(folder: &Path, name: &str, what: String) -> io::Result<Vector> {
    let raw = fs::read(folder.join(name))?;
    let bytes = if name.ends_with(".hex") {
        let digits: String = String::from_utf8_lossy(&raw).split_whitespace().collect();
        from_hex(&digits)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{name} is not hex")))?
    } else {
        raw
    };
    Ok(Vector {
        name: name.to_owned(),
        what,
        bytes,
    })
}

fn file_name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}

/// The bytes that a string of hex digits writes out.
pub fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let nibbles: Vec<u8> = digits
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect::<Option<_>>()?;
    let (pairs, []) = nibbles.as_chunks::<2>() else {
        return None;
    };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_in_pairs() {
        assert_eq!(from_hex("00fFa1"), Some(vec![0, 0xff, 0xa1]));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("0g"), None);
    }

    #[test]
    fn every_family_of_the_wire_format_has_vectors() {
        let vectors = load_all("ironrdp-pdu").unwrap();
        assert!(vectors.len() > 30, "{}", vectors.len());
        assert!(vectors.iter().any(|vector| vector.name == "demand_active.bin"));
    }

    #[test]
    fn a_manifest_says_what_to_read_and_what_it_is() {
        let folder = std::env::temp_dir().join(format!("vectors-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("one.hex"), "01 02\n03").unwrap();
        fs::write(folder.join("other.bin"), [9]).unwrap();
        fs::write(
            folder.join("manifest.json"),
            r#"[{"file": "one.hex", "what": "three bytes"}]"#,
        )
        .unwrap();
        let vectors = load(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let [vector] = &vectors[..] else {
            panic!("{vectors:?}")
        };
        assert_eq!(
            (vector.what.as_str(), &vector.bytes[..]),
            ("three bytes", &[1, 2, 3][..])
        );
    }
}
