//! The options that the examples have in common.

use lexopt::{Parser, ValueExt};
use tangent_kernels::{Error, Result};

use crate::digits::PER_CLASS;

/// The precision of kernels.
pub enum Precision {
    F32,
    F64,
}

/// An error of the parser, with a hint.
pub fn wrong(error: lexopt::Error) -> Error {
    Error::value(format!("{error}; --help lists the options"))
}

/// The word after an option.
pub fn word(parser: &mut Parser) -> Result<String> {
    parser.value().and_then(|value| value.string()).map_err(wrong)
}

/// The whole number after an option.
pub fn number<T: std::str::FromStr>(parser: &mut Parser, option: &str) -> Result<T> {
    let word = word(parser)?;
    word.parse().map_err(|_| Error::value(format!("{option} is '{word}', but it must be a whole number")))
}

/// The precision after `--precision`.
pub fn precision(parser: &mut Parser) -> Result<Precision> {
    match word(parser)?.as_str() {
        "f32" => Ok(Precision::F32),
        "f64" => Ok(Precision::F64),
        other => Err(Error::value(format!("--precision is '{other}', but it must be f32 or f64"))),
    }
}

/// # Errors
/// A class has fewer images.
pub fn check_samples(asked: usize) -> Result<()> {
    if (1..=PER_CLASS).contains(&asked) {
        Ok(())
    } else {
        Err(Error::value(format!("--samples is {asked}, but a class has 1 to {PER_CLASS} images")))
    }
}
