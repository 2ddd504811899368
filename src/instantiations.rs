//! Kernels on the CPU in both precisions, compiled with the library. In builds with little optimisation what depends on it
//! shares them, instead of compiling the whole way from a batch to K once more for every program and every test.

use crate::kernel::Ntk;
use crate::ops::Builtin;
use crate::{Cpu, Kernel, Result, Samples};

type Compute<R> = fn(&Ntk<'static, Cpu<R>, Builtin>, &dyn Samples<R>) -> Result<Kernel<R>>;

#[used]
static SINGLE: Compute<f32> = Ntk::compute;
#[used]
static DOUBLE: Compute<f64> = Ntk::compute;
