//! Random changes of a file.

use proptest::prelude::*;

/// One change.
#[derive(Clone, Debug)]
pub enum Change {
    Byte(usize, u8),
    Cut(usize, usize),
    Copy(usize, usize, usize),
    /// A number in the variable-length encoding of sizes and lengths.
    Number(usize, u64),
    /// Replaced digits, as in text headers.
    Digits(usize, String),
}

fn change() -> impl Strategy<Value = Change> {
    let at = 0usize..60_000;
    prop_oneof![
        4 => (at.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => (at.clone(), 1usize..200).prop_map(|(at, length)| Change::Cut(at, length)),
        1 => (at.clone(), at.clone(), 1usize..200).prop_map(|(from, to, length)| Change::Copy(from, to, length)),
        2 => (at.clone(), prop_oneof![any::<u64>(), 0u64..300, Just(1u64 << 31), Just(1u64 << 62), Just(u64::MAX)])
            .prop_map(|(at, number)| Change::Number(at, number)),
        1 => (at, prop_oneof![Just("-1".into()), Just("1e999".into()), any::<u64>().prop_map(|n| n.to_string())])
            .prop_map(|(at, text)| Change::Digits(at, text)),
    ]
}

pub fn changed(bytes: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        let length = bytes.len();
        if length == 0 {
            break;
        }
        match *change {
            Change::Digits(at, ref text) => {
                let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let at = at % length;
                if let Some(from) = (at..length).find(|&from| bytes[from].is_ascii_digit()) {
                    let to = from + digits(from);
                    bytes.splice(from..to, text.bytes());
                }
            }
            Change::Byte(at, byte) => bytes[at % length] = byte,
            Change::Cut(at, count) => {
                let at = at % length;
                bytes.drain(at..(at + count).min(length));
            }
            Change::Copy(from, to, count) => {
                let from = from % length;
                let part = bytes[from..(from + count).min(length)].to_vec();
                let to = to % length;
                bytes.splice(to..to, part);
            }
            Change::Number(at, mut number) => {
                let mut at = at % length;
                while at < bytes.len() {
                    let more = number >= 128;
                    bytes[at] = (number & 127) as u8 | if more { 128 } else { 0 };
                    number >>= 7;
                    at += 1;
                    if !more {
                        break;
                    }
                }
            }
        }
    }
    bytes
}

/// A few changes.
pub fn changes() -> impl Strategy<Value = Vec<Change>> {
    proptest::collection::vec(change(), 1..6)
}
