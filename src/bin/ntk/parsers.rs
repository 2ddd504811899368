//! Words of the command line that stand for values.

use tangent_kernels::{Method, Outputs};

/// `full`, `trace-sum`, `trace-mean`, `per-output`, `sum`, or a number.
pub fn mode(word: &str) -> Result<Outputs, String> {
    match word {
        "full" => Ok(Outputs::Full),
        "trace-sum" => Ok(Outputs::TraceSum),
        "trace-mean" => Ok(Outputs::TraceMean),
        "per-output" => Ok(Outputs::PerOutput),
        "sum" => Ok(Outputs::SumOfOutputs),
        number => number.parse().map(Outputs::Output).map_err(|_| {
            "full, trace-sum, trace-mean, per-output, sum or the number of an output, counted from 0, is needed".into()
        }),
    }
}

pub fn method(word: &str) -> Result<Method, String> {
    word.parse().map_err(|error: tangent_kernels::Error| error.to_string())
}

pub fn threads(word: &str) -> Result<usize, String> {
    word.parse().ok().filter(|&threads| threads > 0).ok_or_else(|| "a number of at least 1 is needed".into())
}

/// `4GiB`, `500MB`, `1e9`.
pub fn bytes(word: &str) -> Result<u64, String> {
    let units = [
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
    let unit = units.iter().find_map(|(name, size)| Some((word.strip_suffix(name)?, *size)));
    let (number, size) = unit.unwrap_or((word, 1.0));
    let bytes = number.trim().parse::<f64>().ok().map(|number| number * size);
    let bytes = bytes.filter(|bytes| (1.0..1e18).contains(bytes));
    bytes.map(|bytes| bytes as u64).ok_or_else(|| "a size such as 4GiB, 500MB or 1e9 is needed".into())
}

/// `I/N`, counted from 1, as the share's number counted from 0 and how many there are.
pub fn shard(word: &str) -> Result<(usize, usize), String> {
    let pair = word.split_once('/').and_then(|(i, n)| Some((i.parse::<usize>().ok()?, n.parse::<usize>().ok()?)));
    match pair {
        Some((i, n)) if 1 <= i && i <= n => Ok((i - 1, n)),
        _ => Err("I/N with I from 1 to N is needed, such as 1/8".into()),
    }
}

/// `NAME=SIZES`
pub fn shape(word: &str) -> Result<(String, Vec<usize>), String> {
    let parts = word.rsplit_once('=').and_then(|(name, sizes)| {
        let sizes = sizes.trim_matches(['[', ']']).split(',').map(|size| size.trim().parse().ok());
        Some((name.to_string(), sizes.collect::<Option<Vec<usize>>>()?))
    });
    parts.ok_or_else(|| "an input's name and sizes are needed, such as image=3,224,224".into())
}

#[cfg(test)]
mod tests {
    use super::{bytes, mode, shape, shard};
    use tangent_kernels::Outputs;

    #[test]
    fn words_mean_what_they_say() {
        assert_eq!(bytes("4GiB"), Ok(4 << 30));
        assert_eq!(bytes("1.5MB"), Ok(1_500_000));
        assert_eq!(bytes("1e3"), Ok(1000));
        assert!(bytes("4 gigs").is_err() && bytes("-1GB").is_err() && bytes("NaN").is_err());
        assert_eq!(shard("2/8"), Ok((1, 8)));
        assert!(shard("0/8").is_err() && shard("9/8").is_err() && shard("8").is_err());
        assert_eq!(mode("3"), Ok(Outputs::Output(3)));
        assert!(mode("all").is_err());
        assert_eq!(shape("image=3,8"), Ok(("image".to_string(), vec![3, 8])));
        assert!(shape("3,8").is_err());
    }
}
