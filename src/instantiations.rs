//! Instantiations of kernels on the CPU in both precisions, compiled with the library. In builds with little
//! optimisation, dependent programs and tests share them instead of compiling the same code again. In release builds,
//! [`DynSession`](crate::DynSession) serves this purpose.

use crate::kernel::Ntk;
use crate::ops::Builtin;
use crate::{Cpu, Kernel, Result, Samples};

type Compute<R> = fn(&Ntk<'static, Cpu<R>, Builtin>, &dyn Samples<R>) -> Result<Kernel<R>>;

#[used]
static SINGLE: Compute<f32> = Ntk::compute;
#[used]
static DOUBLE: Compute<f64> = Ntk::compute;
