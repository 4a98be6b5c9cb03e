//! Thrift's compact protocol, in which Parquet writes what it says of itself. Nothing is taken on trust: every length is held against the
//! bytes that are left.

use std::collections::BTreeMap;

/// A value; numbers of every width are one kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    List(Vec<Value<'a>>),
    Struct(Struct<'a>),
}

/// Fields by number.
pub(super) type Struct<'a> = BTreeMap<i16, Value<'a>>;

/// Structs within each other.
const DEEPEST: usize = 24;

/// Bytes that are read from the front.
#[derive(Debug, Clone)]
pub(super) struct Input<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// The next bytes.
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    /// A number of seven bits a byte, the lowest first.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The same with its sign in the lowest bit.
    pub(super) fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A struct at the front.
    pub(super) fn structure(&mut self) -> Option<Struct<'a>> {
        self.structure_within(DEEPEST)
    }

    fn structure_within(&mut self, depth: usize) -> Option<Struct<'a>> {
        let depth = depth.checked_sub(1)?;
        let (mut fields, mut number) = (Struct::new(), 0_i16);
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(fields);
            }
            let step = i16::from(head >> 4);
            number = if step == 0 { i16::try_from(self.zigzag()?).ok()? } else { number.checked_add(step)? };
            let value = match head & 0x0f {
                1 => Value::Bool(true),
                2 => Value::Bool(false),
                kind => self.value(kind, depth)?,
            };
            fields.insert(number, value);
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<Value<'a>> {
        Some(match kind {
            // In lists a truth value is a byte of its own.
            1 | 2 => Value::Bool(self.byte()? == 1),
            3 => Value::Int(i64::from(self.byte()?.cast_signed())),
            4..=6 => Value::Int(self.zigzag()?),
            7 => Value::Double(f64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            8 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            9 | 10 => {
                let depth = depth.checked_sub(1)?;
                let head = self.byte()?;
                let length = if head >> 4 == 15 { usize::try_from(self.varint()?).ok()? } else { usize::from(head >> 4) };
                // Every element takes a byte at least.
                if length > self.rest.len() {
                    return None;
                }
                Value::List((0..length).map(|_| self.value(head & 0x0f, depth)).collect::<Option<_>>()?)
            }
            11 => {
                let depth = depth.checked_sub(1)?;
                let length = usize::try_from(self.varint()?).ok()?;
                if length > self.rest.len() {
                    return None;
                }
                let kinds = if length == 0 { 0 } else { self.byte()? };
                let mut pairs = Vec::new();
                for _ in 0..length {
                    pairs.push(self.value(kinds >> 4, depth)?);
                    pairs.push(self.value(kinds & 0x0f, depth)?);
                }
                Value::List(pairs)
            }
            12 => Value::Struct(self.structure_within(depth)?),
            _ => return None,
        })
    }
}

impl<'a> Value<'a> {
    pub(super) fn int(&self) -> Option<i64> {
        if let Self::Int(value) = self { Some(*value) } else { None }
    }

    pub(super) fn text(&self) -> Option<String> {
        if let Self::Bytes(bytes) = self { Some(String::from_utf8_lossy(bytes).into_owned()) } else { None }
    }

    pub(super) fn list(&self) -> Option<&[Value<'a>]> {
        if let Self::List(values) = self { Some(values) } else { None }
    }

    pub(super) fn fields(&self) -> Option<&Struct<'a>> {
        if let Self::Struct(fields) = self { Some(fields) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_lists_and_numbers_are_read() {
        // Field 1: -3; field 3: the list [1, 2]; field 4: true; field 20: "ab"; a struct in field 21.
        let bytes = [0x15, 5, 0x29, 0x25, 2, 4, 0x11, 0x08, 40, 2, b'a', b'b', 0x1c, 0x15, 2, 0, 0];
        let found = Input { rest: &bytes }.structure().expect("whole");
        assert_eq!((found[&1].int(), found[&4].clone()), (Some(-3), Value::Bool(true)));
        assert_eq!(found[&3].list(), Some(&[Value::Int(1), Value::Int(2)][..]));
        assert_eq!((found[&20].text(), found[&21].fields().and_then(|inner| inner[&1].int())), (Some("ab".to_owned()), Some(1)));
        assert_eq!(Input { rest: &[0xac, 0x02] }.varint(), Some(300));
    }

    #[test]
    fn what_is_cut_too_deep_or_longer_than_its_bytes_is_none() {
        for bytes in [&[0x15][..], &[0x19, 0xf5, 0xff, 0xff, 3], &[0x18, 9, b'a'], &[0x1c; 200], &[0xff; 20], &[0x1d, 0]] {
            assert_eq!(Input { rest: bytes }.structure(), None, "{bytes:?}");
        }
        assert_eq!(Input { rest: &[0xff; 11] }.varint(), None);
    }
}
