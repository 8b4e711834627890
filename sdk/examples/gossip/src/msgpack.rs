//! As much MessagePack as the role needs: to read any payload and never past its end, and to write its own.

pub enum Value<'a> {
    Text(&'a str),
    Number(u64),
    Array(usize),
    Map(usize),
    Other,
}

pub struct Reader<'a> {
    data: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(data: &'a [u8]) -> Reader<'a> {
        Reader { data }
    }

    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        if size > self.data.len() {
            return None;
        }
        let (front, rest) = self.data.split_at(size);
        self.data = rest;
        Some(front)
    }

    fn number(&mut self, size: usize) -> Option<u64> {
        Some(self.take(size)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn text(&mut self, size: usize) -> Option<Value<'a>> {
        Some(Value::Text(std::str::from_utf8(self.take(size)?).ok()?))
    }

    fn other(&mut self, size: usize) -> Option<Value<'a>> {
        self.take(size)?;
        Some(Value::Other)
    }

    /// The next value; of an array or a map only its size, its elements follow.
    pub fn next(&mut self) -> Option<Value<'a>> {
        let head = self.number(1)? as u8;
        match head {
            0x00..=0x7f => Some(Value::Number(u64::from(head))),
            0x80..=0x8f => Some(Value::Map(usize::from(head & 15))),
            0x90..=0x9f => Some(Value::Array(usize::from(head & 15))),
            0xa0..=0xbf => self.text(usize::from(head & 31)),
            0xc4..=0xc6 => {
                let size = self.number(1 << (head - 0xc4))? as usize;
                self.other(size)
            }
            0xc7..=0xc9 => {
                let size = self.number(1 << (head - 0xc7))? as usize;
                self.other(size + 1)
            }
            0xca | 0xd2 => self.other(4),
            0xcb | 0xd3 => self.other(8),
            0xcc..=0xcf => Some(Value::Number(self.number(1 << (head - 0xcc))?)),
            0xd0 => self.other(1),
            0xd1 => self.other(2),
            0xd4..=0xd8 => self.other((1 << (head - 0xd4)) + 1),
            0xd9..=0xdb => {
                let size = self.number(1 << (head - 0xd9))? as usize;
                self.text(size)
            }
            0xdc | 0xdd => Some(Value::Array(self.number(2 << (head - 0xdc))? as usize)),
            0xde | 0xdf => Some(Value::Map(self.number(2 << (head - 0xde))? as usize)),
            _ => Some(Value::Other),
        }
    }

    /// Passes over one whole value.
    pub fn skip(&mut self) -> Option<()> {
        let mut left = 1usize;
        while left > 0 {
            left -= 1;
            left = left.checked_add(match self.next()? {
                Value::Array(size) => size,
                Value::Map(size) => size.checked_mul(2)?,
                _ => 0,
            })?;
        }
        Some(())
    }
}

#[derive(Default)]
pub struct Writer {
    pub data: Vec<u8>,
}

impl Writer {
    fn head(&mut self, first: u8, size: u64, bytes: usize) {
        self.data.push(first);
        self.data.extend_from_slice(&size.to_be_bytes()[8 - bytes..]);
    }
    pub fn map(&mut self, entries: usize) -> &mut Writer {
        self.head(0xdf, entries as u64, 4);
        self
    }
    pub fn array(&mut self, elements: usize) -> &mut Writer {
        self.head(0xdd, elements as u64, 4);
        self
    }
    pub fn text(&mut self, text: &str) -> &mut Writer {
        self.head(0xdb, text.len() as u64, 4);
        self.data.extend_from_slice(text.as_bytes());
        self
    }
    pub fn number(&mut self, number: u64) -> &mut Writer {
        self.head(0xcf, number, 8);
        self
    }
}
