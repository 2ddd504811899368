//! The GPU that tests use.

use std::sync::OnceLock;

use tangent_kernels::Gpu;

/// The fastest GPU, opened once. Without a GPU it prints a notice and returns `None`. With `TANGENT_REQUIRE_GPU=1` it
/// panics instead.
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
