//! Parsers for the values of options. Their errors are sentences; clap adds the option and the value.

use std::num::NonZero;

use tangent_kernels::{Method, Outputs};

/// The most threads per core.
const THREADS_PER_CORE: usize = 4;
/// The range of memory budgets in bytes: 1 MB to 1 PB.
const MEMORY: std::ops::RangeInclusive<f64> = 1e6..=1e15;
/// Units of memory, longer names before their suffixes.
const UNITS: [(&str, f64); 10] = [
    ("KiB", 1024.0),
    ("MiB", 1048576.0),
    ("GiB", 1073741824.0),
    ("TiB", 1099511627776.0),
    ("kB", 1e3),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("B", 1.0),
];

/// Parses `full`, `trace-sum`, `trace-mean`, `per-output`, `sum`, or the number of an output.
pub fn mode(text: &str) -> Result<Outputs, String> {
    match text {
        "full" => Ok(Outputs::Full),
        "trace-sum" => Ok(Outputs::TraceSum),
        "trace-mean" => Ok(Outputs::TraceMean),
        "per-output" => Ok(Outputs::PerOutput),
        "sum" => Ok(Outputs::SumOfOutputs),
        number => number.parse().map(Outputs::Output).map_err(|_| {
            "use full, trace-sum, trace-mean, per-output, sum or the number of an output, counted from 0".into()
        }),
    }
}

pub fn method(text: &str) -> Result<Method, String> {
    text.parse().map_err(|error: tangent_kernels::Error| error.to_string())
}

/// Parses a number of at least 1.
pub fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&count| count > 0).ok_or_else(|| "use a whole number of at least 1".into())
}

pub fn threads(text: &str) -> Result<usize, String> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let most = THREADS_PER_CORE * cores;
    text.parse().ok().filter(|threads| (1..=most).contains(threads)).ok_or_else(|| {
        format!("use a number from 1 to {most}, {THREADS_PER_CORE} per core of this machine (cores: {cores})")
    })
}

/// Parses a number of bytes: `4GiB`, `500MB`, `1e9`.
pub fn bytes(text: &str) -> Result<u64, String> {
    let unit = UNITS.iter().find_map(|(name, size)| Some((text.strip_suffix(name)?, *size)));
    let (number, size) = unit.unwrap_or((text, 1.0));
    let bytes = number.trim().parse::<f64>().ok().map(|number| number * size);
    let bytes = bytes.filter(|bytes| MEMORY.contains(bytes));
    bytes.map(|bytes| bytes as u64).ok_or_else(|| "use a size from 1MB to 1000TB, such as 4GiB, 500MB or 1e9".into())
}

/// Parses a regularisation: a finite number of at least 0.
pub fn ridge(text: &str) -> Result<f64, String> {
    let lambda = text.parse().ok().filter(|lambda: &f64| lambda.is_finite() && *lambda >= 0.0);
    lambda.ok_or_else(|| "use a finite number of at least 0, such as 1e-3".into())
}

/// Parses `I/N`, counted from 1. Returns the shard's number, counted from 0, and the number of shards.
pub fn shard(text: &str) -> Result<(usize, usize), String> {
    let pair = text.split_once('/').and_then(|(i, n)| Some((i.parse::<usize>().ok()?, n.parse::<usize>().ok()?)));
    match pair {
        Some((i, n)) if 1 <= i && i <= n => Ok((i - 1, n)),
        _ => Err("use I/N with I from 1 to N, such as 1/8".into()),
    }
}

/// Parses `NAME=AXIS`.
pub fn batch_axis(text: &str) -> Result<(String, usize), String> {
    let pair = text.rsplit_once('=').and_then(|(name, axis)| Some((name.to_string(), axis.parse().ok()?)));
    pair.ok_or_else(|| "use the name of an input and the axis of its batch, such as state=1".into())
}

/// Parses `NAME=VALUE`.
pub fn constant(text: &str) -> Result<(String, f64), String> {
    let pair = text.rsplit_once('=').and_then(|(name, value)| Some((name.to_string(), value.parse().ok()?)));
    pair.ok_or_else(|| "use the name of an input and its value, such as sr=16000".into())
}

/// Parses `NAME=SIZES`.
pub fn shape(text: &str) -> Result<(String, Vec<usize>), String> {
    let parsed = text.rsplit_once('=').and_then(|(name, list)| Some((name.to_string(), sizes(list)?)));
    parsed.ok_or_else(|| "use the name of an input and its sizes, such as image=3,224,224".into())
}

/// Parses `3,224,224` or `[3,224,224]`.
fn sizes(text: &str) -> Option<Vec<usize>> {
    text.trim_matches(['[', ']']).split(',').map(|size| size.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{batch_axis, bytes, constant, count, mode, ridge, shape, shard, threads};
    use tangent_kernels::Outputs;

    #[test]
    fn values_are_parsed() {
        assert_eq!(bytes("4GiB"), Ok(4 << 30));
        assert_eq!(bytes("1.5MB"), Ok(1_500_000));
        assert_eq!(bytes("1e6"), Ok(1_000_000));
        assert_eq!(bytes("1000TB"), Ok(1_000_000_000_000_000));
        assert_eq!(shard("2/8"), Ok((1, 8)));
        assert_eq!(mode("3"), Ok(Outputs::Output(3)));
        assert_eq!(shape("image=3,8"), Ok(("image".to_string(), vec![3, 8])));
        assert_eq!(batch_axis("state=1"), Ok(("state".to_string(), 1)));
        assert_eq!(constant("sr=16e3"), Ok(("sr".to_string(), 16000.0)));
        assert_eq!(threads("1"), Ok(1));
        assert_eq!(count("7"), Ok(7));
        assert_eq!(ridge("0"), Ok(0.0));
    }

    #[test]
    fn invalid_values_are_rejected() {
        for text in ["4 gigs", "-1GB", "NaN", "999kB", "1001TB", "inf"] {
            assert!(bytes(text).unwrap_err().contains("from 1MB to 1000TB"), "{text}");
        }
        assert!(shard("0/8").is_err() && shard("9/8").is_err() && shard("8").is_err());
        assert!(mode("all").is_err());
        assert!(shape("3,8").is_err() && shape("x=3,?").is_err());
        assert!(batch_axis("state").is_err() && batch_axis("state=-1").is_err() && constant("sr").is_err());
        assert!(count("0").is_err() && count("-1").is_err());
        assert!(ridge("-1").is_err() && ridge("NaN").is_err() && ridge("inf").is_err());
        for text in ["0", "99999", "many"] {
            assert!(threads(text).unwrap_err().contains("from 1 to "), "{text}");
        }
    }
}
