//! Files that are not ONNX, recognised by their first bytes.

/// What a file is that begins with `bytes`, and what to do with it, if it is known.
pub(super) fn recognise(bytes: &[u8]) -> Option<&'static str> {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    let at_4 = |magic: &[u8]| bytes.get(4..8) == Some(magic);
    if bytes.is_empty() {
        Some("the file is empty")
    } else if begins(b"version https://git-lfs") {
        Some("it is a Git LFS pointer, not the file itself: `git lfs pull` fetches the file")
    } else if begins(b"\x1f\x8b") {
        Some("it is compressed by gzip: decompress it first")
    } else if begins(b"PK\x03\x04") {
        Some("it is a zip archive, such as a PyTorch checkpoint (.pt, .pth): export the network with torch.onnx.export")
    } else if begins(b"\x80\x02") || begins(b"\x80\x03") || begins(b"\x80\x04") || begins(b"\x80\x05") {
        Some("it is a Python pickle, such as an old PyTorch checkpoint: export the network with torch.onnx.export")
    } else if begins(b"\x93NUMPY") {
        Some("it is a NumPy array (.npy): the network comes first, then the samples")
    } else if begins(b"\x89HDF") {
        Some("it is an HDF5 file, such as a Keras model (.h5): export the network to ONNX")
    } else if at_4(b"TFL3") {
        Some("it is a TensorFlow Lite model: export the network to ONNX")
    } else if at_4(b"ORTM") {
        Some("it is a model in ONNX Runtime's own format (.ort): use the .onnx file that it was made of")
    } else if bytes.get(8) == Some(&b'{') && bytes.get(4..8) == Some(&[0; 4]) {
        Some("it is a safetensors file, which has weights but no network: export the network to ONNX")
    } else if bytes.iter().take(64).all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        Some("it is a text file")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::recognise;

    #[test]
    fn files_of_other_kinds_are_recognised() {
        let known: [(&[u8], &str); 7] = [
            (b"", "empty"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
            (b"\x1f\x8b\x08\0", "gzip"),
            (b"PK\x03\x04\x14\0", "zip"),
            (b"\x93NUMPY\x01\0", "samples"),
            (b"\x40\0\0\0\0\0\0\0{\"w\":", "safetensors"),
            (b"import torch\n", "text"),
        ];
        for (bytes, word) in known {
            assert!(recognise(bytes).is_some_and(|text| text.contains(word)), "{word}");
        }
        assert_eq!(recognise(&[8, 10, 18, 7, b'p', b'y', b't', b'o', b'r', b'c', b'h', 0]), None);
    }
}
