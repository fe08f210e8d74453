//! The picture: PNG, written whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};
use crate::output;

/// Where the picture goes.
#[derive(Debug)]
pub(crate) enum Destination {
    Stdout,
    /// Written beside it first, then renamed, so that a reader never sees half a picture.
    File(PathBuf),
    /// A device or a pipe, which must not be replaced by a file.
    Special(PathBuf),
}

impl Destination {
    /// Looks at the path before there is anything to write: a wrong path should not cost a login.
    pub(crate) fn new(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            if io::stdout().is_terminal() {
                return Err(Failure::new(Exit::Usage, "a picture is no text for a terminal")
                    .hint("redirect standard output, or give -o FILE.png"));
            }
            return Ok(Self::Stdout);
        }
        let wrong =
            |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, format!("{}: {error}", path.display()));
        match fs::metadata(path) {
            // Through a link to the file itself: the link stays.
            Ok(found) if found.is_file() => match fs::canonicalize(path) {
                Ok(real) => Ok(Self::File(real)),
                Err(error) => Err(wrong(&error)),
            },
            Ok(found) if found.is_dir() => Err(wrong(&"is a directory")),
            Ok(_) => Ok(Self::Special(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let Some(_) = path.file_name() else {
                    return Err(wrong(&"names no file"));
                };
                let directory = directory_of(path);
                match fs::metadata(directory) {
                    Ok(found) if found.is_dir() => Ok(Self::File(path.to_owned())),
                    Ok(_) => Err(wrong(&format_args!("{} is no directory", directory.display()))),
                    Err(error) => Err(wrong(&error)),
                }
            }
            Err(error) => Err(wrong(&error)),
        }
    }

    /// Writes the PNG file.
    pub(crate) fn write(&self, png: &[u8]) -> Result<(), Failure> {
        let (path, written) = match self {
            Self::Stdout => return output::data(png),
            Self::File(path) => (path, replace(path, png)),
            Self::Special(path) => {
                let mut options = File::options();
                (
                    path,
                    options
                        .write(true)
                        .open(path)
                        .and_then(|mut file| file.write_all(png)),
                )
            }
        };
        written.map_err(|error| Failure::new(Exit::Local, format!("{}: {error}", path.display())))
    }

    /// For a person to read.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stdout => "-".to_owned(),
            Self::File(path) | Self::Special(path) => path.display().to_string(),
        }
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Writes a file of another name in the same directory and renames it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.part", std::process::id()));
    let part = directory_of(path).join(name);
    let written = File::create_new(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // The first error is the one to tell; there may be no file to remove.
        drop(fs::remove_file(&part));
    }
    written
}

/// Packs a picture of blue, green, red and an unused byte for each pixel as PNG without transparency.
pub(crate) fn encode_png(width: u16, height: u16, bgrx: &[u8]) -> Result<Vec<u8>, Failure> {
    let (pixels, _) = bgrx.as_chunks::<4>();
    let mut rgb = Vec::with_capacity(pixels.len().saturating_mul(3));
    for [blue, green, red, _] in pixels {
        rgb.extend_from_slice(&[*red, *green, *blue]);
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width.into(), height.into());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&rgb).and_then(|()| writer.finish()))
        .map_err(|error| Failure::new(Exit::Local, format!("PNG: {error}")))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("ironrdp-cli-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    #[test]
    fn a_png_holds_the_pixels_with_red_first() {
        let file = encode_png(2, 1, &[1, 2, 3, 0, 250, 251, 252, 255]).unwrap();
        let mut reader = png::Decoder::new(io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = [0; 6];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (2, 1));
        assert_eq!(pixels, [3, 2, 1, 252, 251, 250]);
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left_behind() {
        let directory = scratch("replace");
        let path = directory.join("a.png");
        for content in ["first", "second"] {
            Destination::new(&path)
                .unwrap()
                .write(content.as_bytes())
                .unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn wrong_places_are_refused_before_there_is_anything_to_write() {
        let directory = scratch("wrong");
        assert!(Destination::new(&directory).is_err());
        assert!(Destination::new(&directory.join("missing/a.png")).is_err());
        assert!(Destination::new(&directory.join("..")).is_err());
        fs::remove_dir_all(directory).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_a_device_stays_a_device() {
        let directory = scratch("link");
        let (link, file) = (directory.join("link.png"), directory.join("file.png"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        Destination::new(&link).unwrap().write(b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        let null = Destination::new(Path::new("/dev/null")).unwrap();
        null.write(b"x").unwrap();
        assert!(matches!(null, Destination::Special(_)));
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        fs::remove_dir_all(directory).unwrap();
    }
}
