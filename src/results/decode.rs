//! Bytes of a file as text: unpacked where they are compressed, and UTF-8 whatever they were written in.

use super::table::TableError;
use std::borrow::Cow;
use std::io::{self, Read};
use std::path::Path;

/// A text, and how it was found in its file, in words.
pub(super) struct Decoded<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) notes: Vec<String>,
}

/// Files that are no text, by how they begin, and what to do with them.
const OTHERS: [(&[u8], &str); 5] = [
    (b"PK\x03\x04", "it is a ZIP archive or a workbook of Excel; save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "it is a workbook of Excel; save the sheet as CSV"),
    (b"BZh", "it is compressed by bzip2; unpack it, or compress it by gzip or zstd"),
    (b"\xfd7zXZ", "it is compressed by xz; unpack it, or compress it by gzip or zstd"),
    (b"ARROW1", "it is an Arrow file; write it as CSV, such as by pandas.read_feather(…).to_csv(…)"),
];
const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

/// Unpacks and decodes; `path` is for messages.
pub(super) fn decoded<'a>(path: &Path, bytes: &'a [u8]) -> Result<Decoded<'a>, TableError> {
    let unreadable = |source| TableError::Unreadable { path: path.to_owned(), source };
    let mut notes = Vec::new();
    let mut bytes = Cow::Borrowed(bytes);
    if bytes.starts_with(GZIP) {
        bytes = Cow::Owned(whole(flate2::read::MultiGzDecoder::new(&*bytes)).map_err(unreadable)?);
        notes.push("unpacked by gzip".to_owned());
    } else if bytes.starts_with(ZSTD) {
        bytes = Cow::Owned(zstd::Decoder::with_buffer(&*bytes).and_then(whole).map_err(unreadable)?);
        notes.push("unpacked by zstd".to_owned());
    }
    if let Some((_, what)) = OTHERS.iter().find(|(begin, _)| bytes.starts_with(begin)) {
        return Err(unreadable(io::Error::other(*what)));
    }
    if let Some(text) = utf16(&bytes) {
        notes.push("decoded from UTF-16".to_owned());
        return Ok(Decoded { text: Cow::Owned(text), notes });
    }
    let text = match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| bytes.to_vec()),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(std::string::FromUtf8Error::into_bytes),
    };
    let text = match text {
        Ok(text) => text,
        Err(bytes) if bytes.contains(&0) => {
            return Err(unreadable(io::Error::other("it holds bytes that are no text; save the table as CSV")));
        }
        Err(bytes) => {
            notes.push("decoded from Windows-1252".to_owned());
            Cow::Owned(bytes.into_iter().map(windows_1252).collect())
        }
    };
    Ok(Decoded { text: without_mark(text), notes })
}

fn whole(mut reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text without the mark that says UTF-8.
fn without_mark(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Cow::Owned(text) => Cow::Owned(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
    }
}

/// Units of sixteen bits, told by their mark or by zeros in every other byte of what must be plain letters and digits.
fn utf16(bytes: &[u8]) -> Option<String> {
    let head = &bytes[..bytes.len().min(64) & !1];
    let zeros = |odd: usize| head.len() >= 4 && head.chunks(2).all(|pair| pair[odd] == 0 && pair[1 - odd] != 0);
    let little = match bytes {
        [0xff, 0xfe, ..] => true,
        [0xfe, 0xff, ..] => false,
        _ if zeros(1) => true,
        _ if zeros(0) => false,
        _ => return None,
    };
    let unit = |pair: &[u8]| if little { u16::from_le_bytes([pair[0], pair[1]]) } else { u16::from_be_bytes([pair[0], pair[1]]) };
    let units: Vec<u16> = bytes.chunks_exact(2).map(unit).collect();
    Some(String::from_utf16_lossy(&units).trim_start_matches('\u{feff}').to_owned())
}

/// What Windows-1252 has between 0x80 and 0x9f; above and below it is Unicode's first page.
const FROM_80: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–',
    '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

fn windows_1252(byte: u8) -> char {
    byte.checked_sub(0x80).and_then(|at| FROM_80.get(usize::from(at))).copied().unwrap_or(char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const TEXT: &str = "params,tokens,loss\n1e6,2e7,3\n";

    fn decode(bytes: &[u8]) -> Result<String, String> {
        decoded(Path::new("x"), bytes).map(|found| found.text.into_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_compressed_or_encoded_otherwise_is_the_same_text() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(TEXT.as_bytes()).expect("memory");
        let packed = [gzip.finish().expect("memory"), zstd::encode_all(TEXT.as_bytes(), 1).expect("memory")];
        let units = |mark: &str, bytes: fn(u16) -> [u8; 2]| (mark.to_owned() + TEXT).encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        let wide = [("\u{feff}", true), ("\u{feff}", false), ("", true), ("", false)];
        let wide = wide.map(|(mark, little)| if little { units(mark, u16::to_le_bytes) } else { units(mark, u16::to_be_bytes) });
        for bytes in packed.iter().chain(&wide).chain([&TEXT.as_bytes().to_vec(), &("\u{feff}".to_owned() + TEXT).into_bytes()]) {
            assert_eq!(decode(bytes).as_deref(), Ok(TEXT));
        }
        assert_eq!(decode(b"a,\x97\xe9\n").as_deref(), Ok("a,—é\n"));
    }

    #[test]
    fn what_is_no_text_is_refused_with_what_to_do() {
        assert!(decode(b"PK\x03\x04....").expect_err("refused").contains("save the sheet as CSV"));
        assert!(decode(b"\x80\x00\x00\xff").expect_err("refused").contains("no text"));
        assert!(decode(b"\x1f\x8bbroken").is_err() && decode(b"\x28\xb5\x2f\xfdbroken").is_err());
    }
}
