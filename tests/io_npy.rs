//! `.npy` files: what numpy wrote is read, and what is wrong ends in an error.
#![cfg(feature = "npy")]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tangent_kernels::Error;
use tangent_kernels::io::npy;
use tempfile::TempDir;

/// A file in a folder of its own, which goes with it.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        Scratch(tempfile::tempdir().unwrap())
    }

    fn with(bytes: &[u8]) -> Self {
        let scratch = Scratch::new();
        fs::write(scratch.path(), bytes).unwrap();
        scratch
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("array.npy")
    }

    fn names(&self) -> Vec<String> {
        fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// The bytes that numpy 2.4.6 wrote: those up to the closing brace, spaces, and those from the end of the line on.
fn by_numpy(head: &[u8], spaces: usize, tail: &[u8]) -> Vec<u8> {
    [head, &b" ".repeat(spaces), tail].concat()
}

/// A file of version 1.0 with the header `text`.
fn file(text: &str, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], text.as_bytes(), data].concat()
}

fn header(descr: &str, shape: &str) -> String {
    format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n")
}

/// The error of reading `bytes`, which names the file.
fn refusal(bytes: &[u8]) -> Error {
    let scratch = Scratch::with(bytes);
    let error = npy::read::<f64>(scratch.path()).unwrap_err();
    assert_names(&error, &scratch.path());
    error
}

fn assert_names(error: &Error, path: &Path) {
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}

#[track_caller]
fn assert_refused(bytes: &[u8], because: &str) {
    let error = refusal(bytes);
    assert!(error.is_format(), "{error:?}");
    assert!(error.to_string().contains(because), "{error} does not say '{because}'");
}

/// `np.save(f, np.arange(6.0).reshape(2, 3) / 4)`
fn quarters() -> Vec<u8> {
    by_numpy(
        b"\x93NUMPY\x01\0v\0{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }",
        58,
        b"\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xd0?\0\0\0\0\0\0\xe0?\0\0\0\0\0\0\xe8?\0\0\0\0\0\0\xf0?\0\0\0\0\0\0\xf4?",
    )
}

#[test]
fn arrays_of_numpy_are_read() {
    let (shape, data) = npy::read::<f64>(Scratch::with(&quarters()).path()).unwrap();
    assert_eq!((shape, data), (vec![2, 3], vec![0.0, 0.25, 0.5, 0.75, 1.0, 1.25]));

    // np.save(f, np.array(-2.5))
    let scalar = by_numpy(
        b"\x93NUMPY\x01\0v\0{'descr': '<f8', 'fortran_order': False, 'shape': (), }",
        62,
        b"\n\0\0\0\0\0\0\x04\xc0",
    );
    assert_eq!(npy::read::<f64>(Scratch::with(&scalar).path()).unwrap(), (vec![], vec![-2.5]));

    // np.save(f, np.zeros((0, 3), 'f4'))
    let empty = by_numpy(b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", 58, b"\n");
    assert_eq!(npy::read::<f32>(Scratch::with(&empty).path()).unwrap(), (vec![0, 3], vec![]));

    // np.save(f, np.array([1, -np.inf, np.nan], 'f4'))
    let special = by_numpy(
        b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
        60,
        b"\n\0\0\x80?\0\0\x80\xff\0\0\xc0\x7f",
    );
    let (shape, data) = npy::read::<f32>(Scratch::with(&special).path()).unwrap();
    assert_eq!((shape, &data[..2]), (vec![3], &[1.0, f32::NEG_INFINITY][..]));
    assert!(data[2].is_nan());

    // np.lib.format.write_array(f, np.array([1.0]), version=(3, 0))
    let version_3 = by_numpy(
        b"\x93NUMPY\x03\0t\0\0\0{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }",
        58,
        b"\n\0\0\0\0\0\0\xf0?",
    );
    assert_eq!(npy::read::<f64>(Scratch::with(&version_3).path()).unwrap(), (vec![1], vec![1.0]));
}

/// `np.array([1, -2.5, 65504, 6e-8, np.inf], 'f2').tobytes()`, and of `'>f2'`.
#[test]
fn floats_of_two_bytes_are_read_as_numbers() {
    let numbers = vec![1.0, -2.5, 65504.0, 2f64.powi(-24), f64::INFINITY];
    let little = file(&header("'<f2'", "(5,)"), b"\x00\x3c\x00\xc1\xff\x7b\x01\x00\x00\x7c");
    let big = file(&header("'>f2'", "(5,)"), b"\x3c\x00\xc1\x00\x7b\xff\x00\x01\x7c\x00");
    for bytes in [little, big] {
        assert_eq!(npy::read_numbers::<f64>(Scratch::with(&bytes).path()).unwrap(), (vec![5], numbers.clone()));
    }
}

#[test]
fn fortran_order_becomes_row_major() {
    // np.save(f, np.arange(24, dtype='f4').reshape(2, 3, 4).T)
    let transposed = by_numpy(
        b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': True, 'shape': (4, 3, 2), }",
        56,
        b"\n\0\0\0\0\0\0\x80?\0\0\0@\0\0@@\0\0\x80@\0\0\xa0@\0\0\xc0@\0\0\xe0@\0\0\0A\0\0\x10A\0\0 A\0\x000A\
          \0\0@A\0\0PA\0\0`A\0\0pA\0\0\x80A\0\0\x88A\0\0\x90A\0\0\x98A\0\0\xa0A\0\0\xa8A\0\0\xb0A\0\0\xb8A",
    );
    let (shape, data) = npy::read::<f64>(Scratch::with(&transposed).path()).unwrap();
    assert_eq!(shape, [4, 3, 2]);
    for (at, entry) in data.into_iter().enumerate() {
        let (i, j, k) = (at / 6, at / 2 % 3, at % 2);
        assert_eq!(entry, (12 * k + 4 * j + i) as f64);
    }
}

#[test]
fn what_is_written_is_read_again() {
    let scratch = Scratch::new();
    let single = [f32::MIN_POSITIVE, -0.0, f32::MAX, f32::INFINITY, 0.1, 1e-45];
    npy::write(scratch.path(), &[3, 1, 2], &single).unwrap();
    assert_eq!(npy::read::<f32>(scratch.path()).unwrap(), (vec![3, 1, 2], single.to_vec()));
    let double: Vec<f64> = single.iter().map(|&x| f64::from(x)).collect();
    assert_eq!(npy::read::<f64>(scratch.path()).unwrap(), (vec![3, 1, 2], double));

    let long: Vec<f64> = (0..100_001).map(|i| 1.0 / f64::from(i)).collect();
    npy::write(scratch.path(), &[100_001], &long).unwrap();
    assert_eq!(npy::read::<f64>(scratch.path()).unwrap(), (vec![100_001], long));
    npy::write(scratch.path(), &[], &[7.0f64]).unwrap();
    assert_eq!(npy::read::<f64>(scratch.path()).unwrap(), (vec![], vec![7.0]));
    npy::write::<f64>(scratch.path(), &[2, 0], &[]).unwrap();
    assert_eq!(npy::read::<f64>(scratch.path()).unwrap(), (vec![2, 0], vec![]));
    assert_eq!(scratch.names(), ["array.npy"]);
}

/// numpy 2.4.6 was seen to load these very bytes as `array([[1., -2.]], dtype=float32)`.
#[test]
fn the_bytes_are_those_that_numpy_reads() {
    let scratch = Scratch::new();
    npy::write(scratch.path(), &[1, 2], &[1.0f32, -2.0]).unwrap();
    let bytes = fs::read(scratch.path()).unwrap();
    let text = b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, ), }";
    let expected = by_numpy(text, 56, b"\n\0\0\x80?\0\0\0\xc0");
    assert_eq!(bytes, expected, "{}", bytes.escape_ascii());
}

#[test]
fn precision_is_not_lost_silently() {
    let scratch = Scratch::with(&quarters());
    let error = npy::read::<f32>(scratch.path()).unwrap_err();
    assert!(error.is_unsupported() && error.to_string().contains("f64"), "{error}");
    assert_names(&error, &scratch.path());
}

#[test]
fn lengths_must_match() {
    let good = quarters();
    for length in 0..good.len() {
        assert!(refusal(&good[..length]).is_format(), "{length}");
    }
    assert_refused(&good[..good.len() - 1], "truncated: 47 bytes follow");
    assert_refused(&good[..40], "truncated within the header");
    assert_refused(&[&good[..], &[0]].concat(), "too long: 49 bytes follow");
    // The header's own length, too long and too short by a little and by much.
    for length in [0u16, 1, 60, 117, 119, 126, 9_000, u16::MAX] {
        let mut lying = good.clone();
        lying[8..10].copy_from_slice(&length.to_le_bytes());
        assert!(refusal(&lying).is_format(), "{length}");
    }
    let endless = [b"\x93NUMPY\x02\0\xff\xff\xff\xff", &good[10..]].concat();
    assert_refused(&endless, "longer than that of any array");
}

#[test]
fn hostile_sizes_reserve_no_memory() {
    let zeros = [0; 64];
    assert_refused(&file(&header("'<f8'", "(1152921504606846976,)"), &zeros), "truncated");
    assert_refused(&file(&header("'<f4'", "(1099511627776, 1)"), &zeros), "truncated: 64 bytes follow");
    for shape in [
        "(4294967296, 4294967296)",
        "(18446744073709551615, 2)",
        "(18446744073709551616,)",
        "(0, 4294967296, 4294967296)",
        "(4294967296, 4294967296, 0)",
        "(99999999999999999999999999999999999999999999,)",
    ] {
        assert_refused(&file(&header("'<f8'", shape), &zeros), "more than any memory");
    }
    assert_refused(&file(&header("'<f8'", &format!("({})", "1, ".repeat(65))), &zeros), "more sizes than numpy's 64");
    // Sizes that a string of three quotes would hide from a reader of simple strings.
    let hidden = "{'a': '''b'\"c''', 'descr': '<f8', 'fortran_order': False, \
                  'shape': (4294967296, 4294967296), 'd': '''\"'e'''}";
    assert_refused(&file(hidden, &zeros), "a string in its header");
    for shape in
        ["(-1,)", "(0x10,)", "(1e9,)", "(1_0,)", "(4+4,)", "(8.0,)", "('8',)", "(8)", "8", "None", "(T8,)", "(8j,)"]
    {
        assert!(refusal(&file(&header("'<f8'", shape), &zeros)).is_format(), "{shape}");
    }
}

#[test]
fn other_types_are_rejected_by_name() {
    let zeros = [0; 16];
    assert_refused(&file(&header("'>f8'", "(2,)"), &zeros), "big endian");
    assert_refused(&file(&header("'>f4'", "(4,)"), &zeros), "big endian");
    assert_refused(&file(&header("'|O'", "(2,)"), &zeros), "Python objects");
    // np.save(f, np.zeros(1, [('a', '<f8'), ('b', '<f4', (2,))]))
    let record = by_numpy(
        b"\x93NUMPY\x01\0v\0{'descr': [('a', '<f8'), ('b', '<f4', (2,))], 'fortran_order': False, 'shape': (1,), }",
        31,
        b"\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    );
    assert_refused(&record, "a structured type");
    for descr in ["'<i8'", "'<u4'", "'<f2'", "'<f16'", "'<c8'", "'|b1'", "'|S8'", "'<U2'", "'<M8[ns]'"] {
        assert_refused(&file(&header(descr, "(2,)"), &zeros), &descr[1..descr.len() - 1]);
    }
    let descr = format!("'<U{}'", u64::MAX);
    for descr in ["'f8'", "'<f8", "''", "3", "None", "[]", "[('a', '<f8', (9999999999, 9999999999))]", &descr] {
        assert!(refusal(&file(&header(descr, "(2,)"), &zeros)).is_format(), "{descr}");
    }
}

#[test]
fn invalid_headers_are_rejected() {
    assert_refused(b"", "magic");
    assert_refused(b"\x93NUMPZ\x01\0v\0{}", "magic");
    assert_refused(b"\x93NUMPY\x09\x07v\0{}", "version 9.7");
    for text in [
        "",
        "{}",
        "{'descr': '<f8', 'shape': (2,)}",
        "{'descr': '<f8', 'fortran_order': 1, 'shape': (2,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)} {}",
        "[1, 2]",
        "{1: 2}",
        "\u{0}",
        "{'descr': '''<f8''', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f\\x38', 'fortran_order': False, 'shape': (2,)}",
    ] {
        assert!(refusal(&file(text, &[0; 16])).is_format(), "{text}");
    }
    // Recursion and back-tracking of a parser.
    for bracket in ["(", "[", "{", "(1, ", "{1: "] {
        assert_refused(&file(&bracket.repeat(2000), &[]), "nested too deeply");
    }
    assert!(refusal(&file(&header("'<f8'", "(\u{fc},)"), &[])).is_format());
}

#[test]
fn paths_without_a_file_are_named() {
    let scratch = Scratch::new();
    let missing = scratch.0.path().join("missing/array.npy");
    for path in [scratch.0.path(), &scratch.path(), &missing] {
        let error = npy::read::<f64>(path).unwrap_err();
        assert!(error.is_io(), "{error:?}");
        assert_names(&error, path);
    }
    for (path, because) in [(scratch.0.path(), "folder"), (&*missing, "no folder"), (Path::new(".."), "names no file")]
    {
        let error = npy::write(path, &[1], &[1.0f64]).unwrap_err();
        assert!(error.is_io() && error.to_string().contains(because), "{error:?}");
        assert_names(&error, path);
    }
    assert!(scratch.names().is_empty());
    // A folder has the name of the partial file.
    fs::create_dir(scratch.0.path().join("array.npy.partial")).unwrap();
    let error = npy::write(scratch.path(), &[1], &[1.0f64]).unwrap_err();
    assert!(error.is_io(), "{error:?}");
    assert_names(&error, &scratch.path());
    assert_eq!(scratch.names(), ["array.npy.partial"]);
}

#[test]
fn a_failed_write_keeps_the_previous_file() {
    let scratch = Scratch::with(b"before");
    for (shape, count) in [(&[2, 2][..], 3), (&[], 0), (&[usize::MAX, 2], 2), (&[1; 65], 1)] {
        let error = npy::write(scratch.path(), shape, &vec![0.0f32; count]).unwrap_err();
        assert!(error.is_shape(), "{error:?}");
        assert_names(&error, &scratch.path());
    }
    assert_eq!(fs::read(scratch.path()).unwrap(), b"before");
    assert_eq!(scratch.names(), ["array.npy"]);
    // A partial file of a killed program is overwritten.
    fs::write(scratch.0.path().join("array.npy.partial"), b"half of a much longer file").unwrap();
    npy::write(scratch.path(), &[1], &[1.0f64]).unwrap();
    assert_eq!(npy::read::<f64>(scratch.path()).unwrap(), (vec![1], vec![1.0]));
    assert_eq!(scratch.names(), ["array.npy"]);
}

#[cfg(unix)]
#[test]
fn an_unwritable_folder_or_device_is_left_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    fs::set_permissions(scratch.0.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let result = npy::write(scratch.path(), &[1], &[1.0f64]);
    fs::set_permissions(scratch.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // The superuser may write anywhere.
    if let Err(error) = result {
        assert!(error.is_io(), "{error:?}");
        assert_names(&error, &scratch.path());
        assert!(scratch.names().is_empty());
    }
    let device = Path::new("/dev/null");
    for error in [npy::write(device, &[1], &[1.0f64]).unwrap_err(), npy::read::<f64>(device).unwrap_err()] {
        assert!(error.is_io() && error.to_string().contains("not a regular file"), "{error:?}");
    }
}

/// Reads the bytes as both types. Errors are allowed, panics are not.
fn read_both(bytes: &[u8]) {
    let scratch = Scratch::with(bytes);
    if let Ok((shape, data)) = npy::read::<f64>(scratch.path()) {
        assert_eq!(shape.iter().product::<usize>(), data.len());
    }
    let _ = npy::read::<f32>(scratch.path());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_both(&bytes);
    }

    #[test]
    fn random_headers_never_panic(text in "[{}()\\[\\]'\":, 0-9a-zA-Z<>|_.+-]{0,120}") {
        read_both(&file(&text, &[0; 32]));
    }

    #[test]
    fn random_values_in_the_header_never_panic(
        descr in "('[<>|=]?[a-zA-Z][0-9]{0,20}'|\\[\\('a', '<f[48]'(, \\([0-9]{0,20},?\\))?\\)\\])",
        shape in "[(\\[]([0-9]{0,21}, ?){0,4}[)\\]]",
    ) {
        read_both(&file(&header(&descr, &shape), &[0; 32]));
    }

    #[test]
    fn flipped_bits_never_panic(flips in proptest::collection::vec(0..176 * 8usize, 1..4)) {
        let mut bytes = quarters();
        for flip in flips {
            bytes[flip / 8] ^= 1 << (flip % 8);
        }
        read_both(&bytes);
    }

    #[test]
    fn truncated_files_never_panic(bits in 0..176 * 8usize, length in 0..176usize) {
        let mut bytes = quarters();
        bytes[bits / 8] ^= 1 << (bits % 8);
        bytes.truncate(length);
        read_both(&bytes);
    }

    #[test]
    fn arrays_come_back(shape in proptest::collection::vec(0..5usize, 0..4), seed in any::<u32>()) {
        let data: Vec<f64> = (0..shape.iter().product()).map(|i: usize| f64::from(seed) / (i as f64 + 0.7)).collect();
        let scratch = Scratch::new();
        npy::write(scratch.path(), &shape, &data).unwrap();
        prop_assert_eq!(npy::read::<f64>(scratch.path()).unwrap(), (shape, data));
    }
}

#[cfg(feature = "mmap")]
mod mapped {
    use std::borrow::Cow;

    use super::*;
    use tangent_kernels::{Batch, Cpu, Real, Samples, Sequential, Session};

    #[track_caller]
    fn assert_unmapped<R: Real>(bytes: &[u8], is: fn(&Error) -> bool, because: &str) {
        let scratch = Scratch::with(bytes);
        let error = npy::Mapped::<R>::open(scratch.path()).unwrap_err();
        assert_names(&error, &scratch.path());
        assert!(is(&error) && error.to_string().contains(because), "{error:?} does not say '{because}'");
    }

    fn kernels_are_those_from_memory<R: Real>() {
        let mut model = Sequential::standard(&[2, 3]).flatten().linear("a", 4).tanh().linear("b", 2).build().unwrap();
        for info in model.parameters().to_vec() {
            let size = info.shape.iter().product::<usize>();
            model.set(&info.name, &info.shape, (0..size).map(|k| (k as f64).sin()).collect()).unwrap();
        }
        let x: Vec<R> = (0..40 * 6).map(|k| R::from_f64(f64::from(k).cos())).collect();
        let scratch = Scratch::new();
        npy::write(scratch.path(), &[40, 2, 3], &x).unwrap();
        let mapped = npy::Mapped::<R>::open(scratch.path()).unwrap();
        assert_eq!(mapped.shape(), [40, 2, 3]);
        assert!(matches!(mapped.read(0, 3..5).unwrap(), Cow::Borrowed(_)), "a file of our own is not copied");
        assert!(mapped.read(0, 40..40).unwrap().is_empty());
        let session = Session::new(&model, Cpu::<R>::new()).unwrap();
        let batch = Batch::new(&x, &[40, 2, 3]).unwrap();
        assert_eq!(session.ntk().compute(&mapped).unwrap(), session.ntk().compute(&batch).unwrap());
        let between = |x: &dyn Samples<R>, z: &dyn Samples<R>| session.ntk().between(x, z).unwrap();
        assert_eq!(between(&mapped, &batch.rows(0..7)), between(&batch, &batch.rows(0..7)));
        // A file that is replaced as a whole leaves what is mapped as it was.
        npy::write(scratch.path(), &[1, 1], &[R::from_f64(7.0)]).unwrap();
        assert_eq!(*mapped.read(0, 0..40).unwrap(), x[..]);
    }

    #[test]
    fn a_kernel_from_a_mapped_file_is_the_one_from_memory() {
        kernels_are_those_from_memory::<f32>();
        kernels_are_those_from_memory::<f64>();
    }

    #[test]
    fn numbers_that_are_not_aligned_are_copied() {
        let numbers: Vec<u8> = [1.5f64, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        for spaces in 0..8 {
            let text = header("'<f8'", &format!("(2,{})", " ".repeat(spaces)));
            let scratch = Scratch::with(&file(&text, &numbers));
            let mapped = npy::Mapped::<f64>::open(scratch.path()).unwrap();
            assert_eq!(*mapped.read(0, 0..2).unwrap(), [1.5, -2.0]);
            assert_eq!(*mapped.read(0, 1..2).unwrap(), [-2.0]);
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_before_it_is_used() {
        let good = quarters();
        for length in 0..good.len() {
            assert_unmapped::<f64>(&good[..length], Error::is_format, "");
        }
        assert_unmapped::<f64>(&good[..good.len() - 1], Error::is_format, "truncated: 47 bytes follow");
        assert_unmapped::<f64>(&[&good[..], &[0]].concat(), Error::is_format, "too long");
        assert_unmapped::<f32>(&good, Error::is_unsupported, "<f8, but f32");
        let single = file(&header("'<f4'", "(2, 1)"), &[0; 8]);
        assert_unmapped::<f64>(&single, Error::is_unsupported, "<f4, but f64");
        assert_unmapped::<f64>(&file(&header("'>f8'", "(2,)"), &[0; 16]), Error::is_format, "big endian");
        assert_unmapped::<f64>(&file(&header("'<i8'", "(2,)"), &[0; 16]), Error::is_format, "<i8");
        assert_unmapped::<f64>(&file(&header("'<f8'", "()"), &[0; 8]), Error::is_shape, "sample axis");
        let huge = header("'<f8'", "(1152921504606846976,)");
        assert_unmapped::<f64>(&file(&huge, &[0; 64]), Error::is_format, "truncated");
        assert_unmapped::<f64>(
            &file(&header("'<f8'", "(4294967296, 4294967296)"), &[]),
            Error::is_format,
            "any memory",
        );
        let fortran = "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 1), }\n";
        assert_unmapped::<f64>(&file(fortran, &[0; 16]), Error::is_unsupported, "Fortran order");
        let folder = tempfile::tempdir().unwrap();
        assert!(npy::Mapped::<f64>::open(folder.path()).unwrap_err().is_io());
        assert!(npy::Mapped::<f64>::open(folder.path().join("none.npy")).unwrap_err().is_io());
    }

    #[test]
    fn an_empty_file_of_samples_is_none() {
        for shape in [&[0, 3][..], &[2, 0]] {
            let scratch = Scratch::new();
            npy::write::<f64>(scratch.path(), shape, &[]).unwrap();
            let mapped = npy::Mapped::<f64>::open(scratch.path()).unwrap();
            assert_eq!((mapped.samples(), mapped.sample_shape(0)), (shape[0], &shape[1..]));
            assert!(mapped.read(0, 0..shape[0]).unwrap().is_empty());
        }
    }
}
