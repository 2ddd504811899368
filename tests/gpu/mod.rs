//! The device that tests run on.

use std::sync::OnceLock;

use tangent_kernels::Gpu;

/// The best device, opened once. Where there is none, `None`, said loudly; with `TANGENT_REQUIRE_GPU=1` a failure.
pub fn gpu() -> Option<Gpu> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    GPU.get_or_init(|| match Gpu::open() {
        Ok(gpu) => {
            eprintln!("on {}", gpu.name());
            Some(gpu)
        }
        Err(error) => {
            let required = std::env::var_os("TANGENT_REQUIRE_GPU").is_some_and(|value| value == "1");
            assert!(!required, "TANGENT_REQUIRE_GPU=1, and {error}");
            eprintln!("NOT RUN: {error}");
            None
        }
    })
    .clone()
}
