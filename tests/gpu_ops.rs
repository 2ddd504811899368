//! Every op in every setting on the device, with the tolerances that f32 has on the CPU.
#![cfg(feature = "gpu")]

mod gpu;

use tangent_kernels::check;
use tangent_kernels::ops::{Builtin, Op};

#[test]
fn every_op_passes_the_checker_on_the_device() {
    let Some(gpu) = gpu::gpu() else { return };
    let cases = Builtin::cases();
    let failures: Vec<String> =
        cases.iter().filter_map(|case| check::op_on(case, &gpu).err()).map(|failure| failure.to_string()).collect();
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
    assert!(cases.len() >= 60, "only {} cases", cases.len());
}
