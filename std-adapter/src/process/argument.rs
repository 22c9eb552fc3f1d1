//! The way of the initializer's argument from the parent to a child.
//!
//! It is an environment variable beside the question. In hexadecimal digits, the variable has a key that stands for the
//! argument's type, and then the argument as `postcard` encodes it. A child that was built from other sources finds
//! another key.

use postcard_schema::{Schema, key::Key};
use serde::{Serialize, de::DeserializeOwned};

/// The variable in the environment of a child whose initializer has an argument.
pub(super) const VARIABLE: &str = "COREPOOL_INITIALIZER";

/// The most bytes that an encoded argument may have. A variable has twice as many, and systems have room for 128 KiB.
pub(super) const MOST: usize = 48 << 10;

/// The key of a type, down to its last field.
fn key_of<A: Schema>() -> [u8; 8] {
    Key::for_path::<A>("corepool initializer").to_bytes()
}

/// Why there is no variable for an argument.
#[derive(Clone, Debug)]
pub(super) enum NoVariable {
    /// It cannot be encoded, for this reason.
    Encoding(String),
    /// It is too large: it has this many bytes.
    TooLarge(usize),
}

/// The variable's value for this argument.
pub(super) fn encode<A: Serialize + Schema>(argument: &A) -> Result<String, NoVariable> {
    let refused = |error: postcard::Error| NoVariable::Encoding(error.to_string());
    let size = postcard::experimental::serialized_size(argument).map_err(refused)?;
    if size > MOST {
        return Err(NoVariable::TooLarge(size));
    }
    let mut buffer = vec![0; size];
    let bytes = postcard::to_slice(argument, &mut buffer).map_err(refused)?;
    let bytes = key_of::<A>().into_iter().chain(bytes.iter().copied());
    Ok(bytes.map(|byte| format!("{byte:02x}")).collect())
}

/// The argument of the variable's value, or why there is none.
pub(super) fn decode<A: DeserializeOwned + Schema>(value: Option<&str>) -> Result<A, String> {
    let Some(value) = value else {
        return Err(String::from(
            "its parent has given no argument: call ProcessPoolBuilder::initializer_argument",
        ));
    };
    let bytes = bytes_of(value).unwrap_or_default();
    match bytes.strip_prefix(&key_of::<A>()) {
        Some(encoded) => postcard::from_bytes(encoded)
            .map_err(|error| format!("its parent's argument cannot be decoded: {error}")),
        None => Err(String::from(
            "its parent's argument is of another type: build both from the same sources",
        )),
    }
}

/// The bytes that these hexadecimal digits stand for.
fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize, Schema)]
    struct Model {
        file: String,
        layers: u32,
    }

    #[derive(Debug, Serialize, Deserialize, Schema)]
    struct Renamed {
        path: String,
        layers: u32,
    }

    fn model() -> Model {
        Model {
            file: String::from("größe.bin"),
            layers: 300,
        }
    }

    #[test]
    fn an_argument_is_decoded_as_it_was_encoded() {
        let value = encode(&model()).unwrap();
        assert_eq!(decode(Some(&value)), Ok(model()));
    }

    #[test]
    fn an_argument_of_another_type_is_refused() {
        let value = encode(&model()).unwrap();
        let error = decode::<Renamed>(Some(&value)).unwrap_err();
        assert!(error.contains("of another type"), "{error}");
    }

    #[test]
    fn what_is_no_argument_is_refused() {
        let value = encode(&model()).unwrap();
        for value in ["", "0", "xy", "ä", &value[..value.len() - 2]] {
            decode::<Model>(Some(value)).unwrap_err();
        }
        let error = decode::<Model>(None).unwrap_err();
        assert!(error.contains("initializer_argument"), "{error}");
    }

    #[test]
    fn an_argument_that_is_too_large_says_how_large_it_is() {
        let bytes = |count| vec![7_u8; count];
        assert!(encode(&bytes(MOST - 3)).is_ok());
        let refused = encode(&bytes(MOST)).unwrap_err();
        assert!(matches!(refused, NoVariable::TooLarge(n) if n == MOST + 3));
    }
}
