//! Attributes of ops: the named values of an op's textual description, in addition to its inputs and parameters.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Attribute {
    /// True or false.
    Flag(bool),
    /// One number.
    Number(f64),
    /// A list of numbers.
    Numbers(Vec<f64>),
    /// A word.
    Text(String),
}

/// The attributes of an op by name, as read by the op's `parse`.
///
/// ```
/// use tangent_kernels::{Attribute, Attributes};
/// let attributes = Attributes::from([("slope", Attribute::Number(0.1))]);
/// assert_eq!(attributes.number("slope").unwrap(), 0.1);
/// assert!(attributes.number("alpha").unwrap_err().is_name());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(BTreeMap<String, Attribute>);

impl Attributes {
    /// Adds the attribute `name`, or replaces it.
    pub fn insert(&mut self, name: impl Into<String>, value: Attribute) {
        self.0.insert(name.into(), value);
    }

    /// The attribute `name`, if it exists.
    pub fn get(&self, name: &str) -> Option<&Attribute> {
        self.0.get(name)
    }

    /// The number `name`. Returns an error if it is missing or not a finite number.
    pub fn number(&self, name: &str) -> Result<f64> {
        match self.0.get(name) {
            Some(Attribute::Number(x)) if x.is_finite() => Ok(*x),
            other => Err(wrong(name, "a finite number", other)),
        }
    }

    /// The size `name`. Returns an error if it is missing, negative, fractional or at least 2^32.
    pub fn size(&self, name: &str) -> Result<usize> {
        match self.0.get(name) {
            Some(Attribute::Number(x)) if x.fract() == 0.0 && (0.0..4294967296.0).contains(x) => Ok(*x as usize),
            other => Err(wrong(name, "a size", other)),
        }
    }

    /// The number `name`, or `default` if it is missing. Returns an error if it is not a finite number.
    pub fn number_or(&self, name: &str, default: f64) -> Result<f64> {
        if self.0.contains_key(name) { self.number(name) } else { Ok(default) }
    }

    /// The size `name`, or `default` if it is missing. Returns an error if it is negative, fractional or at least 2^32.
    pub fn size_or(&self, name: &str, default: usize) -> Result<usize> {
        if self.0.contains_key(name) { self.size(name) } else { Ok(default) }
    }

    /// The integer `name`, or `default` if it is missing. Returns an error if it is fractional or its magnitude is at
    /// least 2^32.
    pub fn integer_or(&self, name: &str, default: i64) -> Result<i64> {
        match self.0.get(name) {
            None => Ok(default),
            Some(Attribute::Number(x)) if x.fract() == 0.0 && x.abs() < 4294967296.0 => Ok(*x as i64),
            other => Err(wrong(name, "an integer", other)),
        }
    }

    /// The sizes of `N` axes: the list `name`, or one number for all axes. `None` if it is missing.
    pub fn sizes_by_axis<const N: usize>(&self, name: &str) -> Result<Option<[usize; N]>> {
        let list = match self.0.get(name) {
            None => return Ok(None),
            Some(Attribute::Number(_)) => vec![self.size(name)?; N],
            Some(_) => self.sizes(name)?,
        };
        let found = self.0.get(name);
        list.try_into().map(Some).map_err(|_| wrong(name, &format!("a number or a list of {N}"), found))
    }

    /// The list of sizes `name`. Returns an error if it is missing, or if an entry is negative, fractional or at least
    /// 2^32.
    pub fn sizes(&self, name: &str) -> Result<Vec<usize>> {
        let sizes = self.integers(name)?.into_iter().map(|size| usize::try_from(size).ok()).collect::<Option<_>>();
        sizes.ok_or_else(|| wrong(name, "a list of sizes", self.0.get(name)))
    }

    /// The list of integers `name`. Returns an error if it is missing, or if the magnitude of an entry is fractional or
    /// at least 2^32.
    pub fn integers(&self, name: &str) -> Result<Vec<i64>> {
        let whole = |x: &f64| (x.fract() == 0.0 && x.abs() < 4294967296.0).then_some(*x as i64);
        let found = match self.0.get(name) {
            Some(Attribute::Numbers(list)) => list.iter().map(whole).collect(),
            _ => None,
        };
        found.ok_or_else(|| wrong(name, "a list of integers", self.0.get(name)))
    }

    /// The flag `name`, or `default` if it is missing. Returns an error if it is not a flag.
    pub fn flag_or(&self, name: &str, default: bool) -> Result<bool> {
        match self.0.get(name) {
            None => Ok(default),
            Some(Attribute::Flag(flag)) => Ok(*flag),
            other => Err(wrong(name, "true or false", other)),
        }
    }

    /// The word `name`, or `default` if it is missing. Returns an error if it is not a word.
    pub fn text_or<'a>(&'a self, name: &str, default: &'a str) -> Result<&'a str> {
        match self.0.get(name) {
            None => Ok(default),
            Some(Attribute::Text(word)) => Ok(word),
            other => Err(wrong(name, "a word", other)),
        }
    }
}

fn wrong(name: &str, expected: &str, found: Option<&Attribute>) -> Error {
    match found {
        None => Error::name(format!("attribute '{name}' is missing, expected {expected}")),
        Some(value) => Error::value(format!("attribute '{name}' is {value:?}, expected {expected}")),
    }
}

impl<const N: usize> From<[(&str, Attribute); N]> for Attributes {
    fn from(list: [(&str, Attribute); N]) -> Self {
        Attributes(list.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
    }
}
