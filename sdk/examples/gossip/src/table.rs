//! The table that all nodes come to agree on: of two values of a key the later version wins, of two of one version the
//! one from the node with the greater id.
use crate::msgpack::{Reader, Value, Writer};
use std::collections::BTreeMap;

const MAX_KEY: usize = 64;
const MAX_VALUE: usize = 1024;
const MAX_ORIGIN: usize = 128;

#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub version: u64,
    pub origin: String,
    pub value: String,
}

#[derive(Default)]
pub struct Table {
    pub entries: BTreeMap<String, Entry>,
    pub most: usize,
}

impl Table {
    /// False when it is not taken: too long, too many, or not newer.
    pub fn merge(&mut self, key: &str, entry: Entry) -> bool {
        let known = self.entries.get(key);
        let known_sizes = key.len() <= MAX_KEY && entry.value.len() <= MAX_VALUE && entry.origin.len() <= MAX_ORIGIN;
        let fits = !key.is_empty() && known_sizes;
        let room = known.is_some() || self.entries.len() < self.most;
        let newer = known.map_or(true, |known| entry > *known);
        if fits && room && newer {
            self.entries.insert(key.to_string(), entry);
        }
        fits && room && newer
    }

    pub fn set(&mut self, key: &str, value: &str, origin: &str) -> bool {
        let version = self.entries.get(key).map_or(0, |known| known.version).saturating_add(1);
        self.merge(key, Entry { version, origin: origin.to_string(), value: value.to_string() })
    }

    /// {"entries":[{"key","value","version","origin"}]}
    pub fn encoded(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.map(1).text("entries").array(self.entries.len());
        for (key, entry) in &self.entries {
            out.map(4).text("key").text(key).text("value").text(&entry.value);
            out.text("version").number(entry.version).text("origin").text(&entry.origin);
        }
        out.data
    }

    /// Takes what is newer; how many that were. None for a payload of another kind.
    pub fn merge_encoded(&mut self, payload: &[u8]) -> Option<u64> {
        let mut reader = Reader::new(payload);
        let fields = match reader.next()? {
            Value::Map(size) => size,
            _ => return None,
        };
        for _ in 0..fields {
            if let Value::Text("entries") = peek_key(&mut reader)? {
                return self.merge_list(&mut reader);
            }
            reader.skip()?;
        }
        None
    }

    fn merge_list(&mut self, reader: &mut Reader) -> Option<u64> {
        let size = match reader.next()? {
            Value::Array(size) => size,
            _ => return None,
        };
        let mut taken = 0;
        for _ in 0..size {
            let (key, entry) = read_entry(reader)?;
            taken += u64::from(self.merge(&key, entry));
        }
        Some(taken)
    }
}

// A key of any kind: what is no text is passed over.
fn peek_key<'a>(reader: &mut Reader<'a>) -> Option<Value<'a>> {
    match reader.next()? {
        Value::Array(size) => {
            for _ in 0..size {
                reader.skip()?;
            }
            Some(Value::Other)
        }
        Value::Map(size) => {
            for _ in 0..size.checked_mul(2)? {
                reader.skip()?;
            }
            Some(Value::Other)
        }
        value => Some(value),
    }
}

fn read_entry(reader: &mut Reader) -> Option<(String, Entry)> {
    let fields = match reader.next()? {
        Value::Map(size) => size,
        _ => return None,
    };
    let (mut key, mut entry) = (String::new(), Entry::default());
    for _ in 0..fields {
        let name = match peek_key(reader)? {
            Value::Text(name) => name,
            _ => "",
        };
        match name {
            "key" | "value" | "origin" => {
                let text = match reader.next()? {
                    Value::Text(text) => text.to_string(),
                    _ => return None,
                };
                match name {
                    "key" => key = text,
                    "value" => entry.value = text,
                    _ => entry.origin = text,
                }
            }
            "version" => {
                entry.version = match reader.next()? {
                    Value::Number(number) => number,
                    _ => return None,
                }
            }
            _ => reader.skip()?,
        }
    }
    Some((key, entry))
}
