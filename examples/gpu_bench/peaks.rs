//! The peaks of well-known GPUs.

/// A part of a GPU's name and its peak in TFLOP/s, in f32, without matrix units. The figures come from the makers' public
/// specifications, at boost clocks. Longer names come before their prefixes.
const PEAKS: &[(&str, f64)] = &[
    ("NVIDIA H200", 67.0),
    ("NVIDIA H100 PCIe", 51.0),
    ("NVIDIA H100 NVL", 60.0),
    ("NVIDIA H100", 67.0),
    ("NVIDIA A100", 19.5),
    ("V100-PCIE", 14.0),
    ("V100-SXM2", 15.7),
    ("NVIDIA L40S", 91.6),
    ("NVIDIA L40", 90.5),
    ("NVIDIA L4", 30.3),
    ("NVIDIA A40", 37.4),
    ("NVIDIA A10", 31.2),
    ("Tesla T4", 8.1),
    ("RTX A6000", 38.7),
    ("RTX 4090", 82.6),
    ("RTX 3090 Ti", 40.0),
    ("RTX 3090", 35.6),
    ("RX 7900 XTX", 61.4),
    ("RX 6900 XT", 23.0),
];

/// FLOP/s of the GPU with this name, if known.
pub fn known(name: &str) -> Option<f64> {
    PEAKS.iter().find(|(card, _)| name.contains(card)).map(|(_, peak)| 1e12 * peak)
}
